package listen

// Deferred is deferred.
var Deferred = deferred
