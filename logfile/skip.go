package logfile

import "bytes"

// skipper passes over a value without decoding it, over as many buffers as it takes.
type skipper struct {
	depth    int
	objects  [2]uint64 // which of the first 128 levels are objects
	inString bool
	escaped  bool
	resync   bool // the value is malformed: look for where a record begins, too
	lines    bool // the value stands at the top: a line that begins with a brace begins a record
	moved    bool
	last     byte // the last byte that is not white space
	newline  bool // the byte before was a newline
}

// eventStart is how CloudTrail's records begin.
var eventStart = []byte(`"eventVersion"`)

// startSkip passes over what stands at pos; then says what is expected behind it. What it passes over is malformed unless the caller says otherwise.
func (r *Reader) startSkip(then state) {
	r.skip = skipper{resync: true, lines: then == atTop}
	r.then = then
	r.state = skipping
}

// skipOn goes on skipping.
func (r *Reader) skipOn() progress {
	from := r.pos
	n, over := r.skip.run(r.buf[from:], r.eof)
	r.pos += n
	r.fed += int64(n)
	if over {
		r.state = r.then
		if r.skip.resync && r.then == afterItem && r.pos < len(r.buf) && r.buf[r.pos] == '{' {
			r.state = inList // the comma lies behind
		}
		return advanced
	}
	if !r.eof {
		return wantMore
	}
	return r.atEnd()
}

// run passes over bytes of b. It gives how many, and whether the value is over: then what follows stands at b[n]. Where it is not, the rest of b is to be
// given again, with more behind it unless the file is at its end.
func (s *skipper) run(b []byte, eof bool) (n int, over bool) {
	for i, c := range b {
		if s.resync && s.moved && c == '{' && s.mayBegin() {
			begins, short := beginsEvent(b[i:])
			if short && !eof {
				return i, false
			}
			if begins {
				return i, true
			}
		}
		if s.lines && s.resync && s.newline && (c == '{' || c == '[') {
			return i, true
		}
		s.newline = c == '\n'
		switch {
		case s.inString:
			switch {
			case s.escaped:
				s.escaped = false
			case c == '\\':
				s.escaped = true
			case c == '"':
				s.inString = false
			}
		case c == '"':
			s.inString = true
		case c == '{' || c == '[':
			s.mark(c == '{')
			s.depth++
		case c == '}' || c == ']':
			if s.depth == 0 {
				return i, true // of the list or object around
			}
			s.depth--
			if s.depth == 0 {
				return i + 1, true
			}
		case c == ',' && s.depth == 0:
			return i, true
		}
		if !isSpace(c) {
			s.last = c
		}
		s.moved = true
	}
	return len(b), false
}

// mark notes whether the level that begins is an object.
func (s *skipper) mark(object bool) {
	if s.depth >= 128 {
		return
	}
	word, bit := s.depth>>6, uint64(1)<<(s.depth&63)
	if s.objects[word] &^= bit; object {
		s.objects[word] |= bit
	}
}

// mayBegin tells whether a brace here may begin a record rather than a value within the one that is skipped: it stands where within a sound object
// none could, or in what seems a string because a quote is missing.
func (s *skipper) mayBegin() bool {
	if s.last != ',' && s.last != '[' && s.last != '}' {
		return false
	}
	if s.inString || s.depth == 0 {
		return true
	}
	level := s.depth - 1
	return level < 128 && s.objects[level>>6]&(1<<(level&63)) != 0
}

// beginsEvent tells whether an object that CloudTrail wrote begins at b; short, that there is too little of it to tell.
func beginsEvent(b []byte) (begins, short bool) {
	rest := bytes.TrimLeft(b[1:], " \t\r\n")
	if len(rest) < len(eventStart) {
		return false, bytes.HasPrefix(eventStart, rest)
	}
	return bytes.HasPrefix(rest, eventStart), false
}

// resumes tells whether a record that the file's end cuts may hide others behind it: one begins in it as if a quote or bracket were missing.
func resumes(b []byte, then state) bool {
	s := skipper{resync: true, lines: then == atTop}
	n, over := s.run(b, true)
	return over && n < len(b)
}
