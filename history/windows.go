package history

// The windows of a look-up: the first holds a day, or as many days as have a good number of events; each that follows is wider, so that a look-up
// which finds little reads all of its time in a few runs.
const (
	day        = 24 * 3600 * 1_000_000 // microseconds
	plentyAll  = 2_000                 // events that are worth a run, where any will do
	plentySome = 8_000                 // and where most may not do
	growth     = 8
)

type windows struct {
	from, to int64 // what is left, both included
	width    int64
	plenty   int64
}

func newWindows(from, to int64, choosy bool) *windows {
	w := &windows{from: from, to: to, width: day, plenty: plentyAll}
	if choosy {
		w.plenty = plentySome
	}
	return w
}

// left tells whether there is time left to read.
func (w *windows) left() bool { return w.from <= w.to }

// next proposes a window, both ends included.
func (w *windows) next() (lo, hi int64) {
	if w.width > w.to-w.from {
		return w.from, w.to
	}
	return w.to - w.width + 1, w.to
}

// enough tells whether the proposed window is worth a run, with so many events in its files; else it is widened.
func (w *windows) enough(rows int64) bool {
	if rows >= w.plenty || w.width > w.to-w.from {
		return true
	}
	w.width *= 2
	return false
}

// take takes the window that begins at lo off what is left.
func (w *windows) take(lo int64) {
	w.to = lo - 1
	w.width *= growth
	w.plenty *= growth
}
