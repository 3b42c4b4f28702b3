package logfile

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/lochlake/loch/event"
)

// state says what is expected next.
type state uint8

const (
	atStart     state = iota
	atTop             // a value, or the end
	inList            // an element, or the list's end
	afterItem         // a comma, or the list's end
	inObject          // a member of an object that is no record, or its end
	afterMember       // a comma, or that object's end
	skipping          // within a value that is passed over
)

// progress is what a step came to.
type progress uint8

const (
	advanced progress = iota
	wantMore          // the rest of the text is needed first
	finished
)

// parser is where in the file's structure a Reader stands.
type parser struct {
	state      state
	seen       bool // a record, or something bad, was found
	recovering bool // behind something malformed that is listed already
	list       int64
	inside     bool // the list is a member of an object
	object     object
	skip       skipper
	then       state // after skipping
	fed        int64 // bytes of text in the present batch
}

// object is a JSON object at the top that is no record: one that holds Records, or a stranger.
type object struct {
	offset int64
	first  bool // nothing stood before it in the file
	found  bool // it has Records
	kind   string
	fault  *event.Error // why it is no record
}

// step parses one thing.
func (r *Reader) step() progress {
	if r.state == skipping {
		return r.skipOn()
	}
	if r.state == atStart {
		return r.start()
	}
	for r.pos < len(r.buf) && isSpace(r.buf[r.pos]) {
		r.pos++
		r.fed++
	}
	if r.pos == len(r.buf) {
		if !r.eof {
			return wantMore
		}
		return r.atEnd()
	}
	c := r.buf[r.pos]
	switch r.state {
	case atTop:
		return r.top(c)
	case inList:
		switch c {
		case ']':
			return r.endList()
		case ',':
			r.malformed("expected a record")
			r.advance(1, inList)
		default:
			return r.record(afterItem)
		}
	case afterItem:
		switch c {
		case ',':
			r.advance(1, inList)
		case ']':
			return r.endList()
		case '{':
			r.malformed("expected ',' between records")
			r.state = inList
		default:
			r.malformed("expected ',' or ']' after a record")
			r.pass(c, afterItem)
		}
	case inObject:
		return r.member(c)
	case afterMember:
		switch c {
		case ',':
			r.advance(1, inObject)
		case '}':
			return r.endObject()
		default:
			r.malformed("expected ',' or '}' in the object around the records")
			r.pass(c, atTop)
		}
	}
	return advanced
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func (r *Reader) advance(n int, next state) {
	r.pos += n
	r.fed += int64(n)
	r.state = next
}

// offset is where pos is in the inflated file.
func (r *Reader) offset() int64 { return r.base + int64(r.pos) }

func (r *Reader) bad(offset int64, kind, message string) {
	r.seen = true
	r.batch.Bad = append(r.batch.Bad, Bad{offset, kind, message})
	r.batch.Read++
}

// malformed lists what stands at pos, unless it follows something malformed.
func (r *Reader) malformed(message string) {
	if !r.recovering {
		r.bad(r.offset(), string(event.Malformed), fmt.Sprintf("%s, found %q", message, r.buf[r.pos:min(r.pos+1, len(r.buf))]))
	}
	r.recovering = true
}

// pass skips what has no place here, c first of it.
func (r *Reader) pass(c byte, then state) {
	if c == ',' || c == ']' || c == '}' { // a skipper stops before these
		r.advance(1, then)
		return
	}
	r.startSkip(then)
}

// start passes over a byte order mark, and recognises a file that is no JSON at all.
func (r *Reader) start() progress {
	if len(r.buf) < sniffLength && !r.eof {
		return wantMore
	}
	if bytes.HasPrefix(r.buf, []byte("\xef\xbb\xbf")) {
		r.pos = 3
	}
	r.state = atTop
	if text := bytes.TrimLeft(r.buf[r.pos:], " \t\r\n"); len(text) > 0 && text[0] != '{' && text[0] != '[' {
		r.bad(-1, NotLogFile, "not a log file: "+sniff(r.buf))
		return finished
	}
	return advanced
}

// atEnd ends the file.
func (r *Reader) atEnd() progress {
	switch {
	case r.endFault != "":
		message := r.endMessage
		if r.state != atTop {
			message += "; the records before are kept"
		}
		offset := r.offset()
		if offset == 0 {
			offset = -1
		}
		r.bad(offset, r.endFault, message)
	case r.state != atTop:
		if !r.recovering {
			r.bad(r.offset(), string(event.Cut), "the file ends within a list or an object")
		}
	case r.base+int64(len(r.buf)) == 0 || !r.seen && r.list == 0:
		r.bad(-1, EmptyFile, "the file is empty")
	}
	return finished
}

// top begins a value at the top.
func (r *Reader) top(c byte) progress {
	switch c {
	case '[':
		r.inside = false
		r.list++
		r.recovering = false
		r.advance(1, inList)
		return advanced
	case '{':
		return r.topObject()
	}
	r.malformed("expected a record or a list of records")
	r.pass(c, atTop)
	return advanced
}

// topObject tells an object with Records from a record by its first member; where that does not tell, by trying to decode it.
func (r *Reader) topObject() progress {
	name, _, found := r.nameAt(r.pos + 1)
	if !found && !r.eof && len(r.buf)-r.pos <= event.MaxEventSize {
		return wantMore
	}
	if string(name) == "Records" {
		r.openObject(nil)
		return advanced
	}
	if !found || recordNames[string(name)] {
		return r.record(atTop)
	}
	var rec event.Record
	_, err := r.dec.DecodeAt(&rec, r.buf, r.pos)
	if err == nil {
		return r.record(atTop)
	}
	var fault *event.Error
	if errors.As(err, &fault) && fault.Fault == event.Cut && !r.eof {
		return wantMore
	}
	r.openObject(fault)
	return advanced
}

func (r *Reader) openObject(fault *event.Error) {
	r.object = object{offset: r.offset(), first: !r.seen && r.list == 0, fault: fault}
	r.recovering = false
	r.advance(1, inObject)
}

// nameAt reads the member name that begins at or after i, and its colon; next is behind them. A name with escapes is given as it stands.
func (r *Reader) nameAt(i int) (name []byte, next int, found bool) {
	b := r.buf
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	if i >= len(b) || b[i] != '"' {
		return nil, i, i < len(b) // no name stands there
	}
	from := i + 1
	for i = from; i < len(b) && b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	if i >= len(b) {
		return nil, i, false
	}
	name = b[from:i]
	for i++; i < len(b) && isSpace(b[i]); i++ {
	}
	if i >= len(b) {
		return nil, i, false
	}
	if b[i] != ':' {
		return nil, i, true
	}
	return name, i + 1, true
}

// member reads one member of an object that is no record.
func (r *Reader) member(c byte) progress {
	if c == '}' {
		return r.endObject()
	}
	name, next, found := r.nameAt(r.pos)
	if !found && !r.eof && len(r.buf)-r.pos <= event.MaxEventSize {
		return wantMore
	}
	if name == nil {
		r.objectFault("expected a member")
		r.pass(c, atTop)
		return advanced
	}
	for next < len(r.buf) && isSpace(r.buf[next]) {
		next++
	}
	if next == len(r.buf) && !r.eof {
		return wantMore
	}
	if kind := strangers[string(name)]; kind != "" && r.object.kind == "" {
		r.object.kind = kind
	}
	if string(name) == "Records" && next < len(r.buf) && r.buf[next] == '[' {
		r.object.found = true
		r.inside = true
		r.list++
		r.advance(next+1-r.pos, inList)
		return advanced
	}
	r.advance(next-r.pos, skipping)
	r.skip, r.then = skipper{}, afterMember
	return advanced
}

// objectFault lists an object that turned out malformed: as the record that it may have been meant for, where it has no Records.
func (r *Reader) objectFault(message string) {
	if f := r.object.fault; f != nil && !r.object.found {
		r.bad(r.object.offset, string(f.Fault), f.Error())
		r.recovering = true
		return
	}
	r.malformed(message)
}

func (r *Reader) endList() progress {
	r.recovering = false
	if r.inside {
		r.advance(1, afterMember)
	} else {
		r.advance(1, atTop)
	}
	return advanced
}

// endObject lists an object without Records: as what it is, or as the bad record that it may have been meant for.
func (r *Reader) endObject() progress {
	r.advance(1, atTop)
	o := r.object
	if o.found {
		return advanced
	}
	offset := o.offset
	if o.first {
		offset = -1
	}
	switch {
	case o.kind == DigestFile:
		r.bad(offset, DigestFile, "a digest of log file validation, not a log file")
	case o.kind != "":
		r.bad(offset, NotLogFile, "not a log file: "+o.kind)
	case o.fault != nil:
		r.bad(o.offset, string(o.fault.Fault), o.fault.Error())
	default:
		r.bad(offset, NotLogFile, "not a log file: Records is not a list")
	}
	return advanced
}

// record decodes the record at pos.
func (r *Reader) record(next state) progress {
	r.batch.Records = append(r.batch.Records, event.Record{})
	rec := &r.batch.Records[len(r.batch.Records)-1]
	end, err := r.dec.DecodeAt(rec, r.buf, r.pos)
	if err == nil {
		rec.Offset = r.offset()
		r.batch.Read++
		r.seen, r.recovering = true, false
		r.advance(end-r.pos, next)
		return advanced
	}
	r.batch.Records = r.batch.Records[:len(r.batch.Records)-1]
	var fault *event.Error
	if !errors.As(err, &fault) {
		fault = &event.Error{Fault: event.Malformed, Message: err.Error()}
	}
	if !r.eof && (fault.Fault == event.Cut || end == len(r.buf) && r.buf[r.pos] != '{') {
		return wantMore
	}
	if fault.Fault == event.Cut && r.endFault != "" {
		r.bad(r.offset(), r.endFault, r.endMessage+"; the record that begins here is cut")
		return finished
	}
	if !r.recovering || r.buf[r.pos] == '{' {
		r.bad(r.offset(), string(fault.Fault), fault.Error())
	}
	switch {
	case end >= 0:
		r.advance(end-r.pos, next)
	case fault.Fault == event.Cut && fault.Offset == len(r.buf)-r.pos && !resumes(r.buf[r.pos:], next):
		return finished
	default:
		// NotUTF8, TooDeep and TooLarge leave quotes and brackets as they should be; behind anything else a record may begin anywhere.
		r.startSkip(next)
		r.skip.resync = fault.Fault == event.Malformed || fault.Fault == event.Cut
		r.recovering = r.skip.resync
	}
	return advanced
}
