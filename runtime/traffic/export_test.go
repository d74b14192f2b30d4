package traffic

// Bound changes the bounds of what a recorder keeps.
func (r *Recorder) Bound(bytes, keys int) { r.maxBytes, r.maxKeys = bytes, keys }

// Held is how many bytes and keys a recorder keeps.
func (r *Recorder) Held() (bytes, keys int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.tiers {
		for _, s := range t.slots {
			bytes += len(s.cells)
		}
	}
	return bytes, len(r.ids)
}
