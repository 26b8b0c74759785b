package limit

// NewSmallBuckets returns buckets with one shard of at most so many slots.
func NewSmallBuckets(slots int) *Buckets { return newBuckets(1, slots) }
