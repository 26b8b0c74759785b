package script

// UseBindings has machines of this process get other factories.
func UseBindings(source string) { bindingsSource = source }

// Mapped maps the places in a text by a source map.
func Mapped(name string, sourceMap []byte, text string) string {
	return newTrace(name, sourceMap).mapped(text)
}

// Window is how much of a body may be under way.
const Window = window

// Kill kills the shared child, and tells whether there was one.
func (h *Host) Kill() bool {
	h.shared.mu.Lock()
	defer h.shared.mu.Unlock()
	if h.shared.life == nil {
		return false
	}
	h.shared.life.kill()
	return true
}
