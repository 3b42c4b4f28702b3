package lake

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/proof"
)

// Kept is a row of a table as its batch's tree has it.
type Kept struct {
	proof.Event
	Day    int32 // of eventTime: days since the Unix epoch
	Time   int64 // eventTime, microseconds since the Unix epoch
	Row    int64 // its place in its file
	Erased bool  // a tombstone: Text is the hash of what was erased
}

// checkRows is how many rows are decoded and compared at once.
const checkRows = 512

// problemsMost bounds what CheckFile tells of one file.
const problemsMost = 20

// CheckFile reads the rows of a data file on this machine, derives every column anew from the exact text and compares it with what the file has, and calls fn for each
// row in order. It holds what the file says of its rows (statistics, bloom filters, page indexes), and what the table's metadata says of it, against every value; said is nil where that is not known.
// Problems are what is wrong with the file's content; an error is one of reading or fn's. The columns that no text tells (the sender's id and the time
// of arrival of events that came through a channel) are taken as they are. Of rows that an older decoder filled, columns that came later must be NULL.
func CheckFile(ctx context.Context, kind event.Kind, path string, rows int64, said *proof.Stats, fn func(*Kept) error) (problems []string, err error) {
	ts := event.Schema(kind)
	if ts == nil {
		return nil, fmt.Errorf("no schema for events of kind %d", kind)
	}
	lay, err := layoutOf(ts)
	if err != nil {
		return nil, err
	}
	return newChecker(lay, kind, fn).file(ctx, path, rows, said)
}

func newChecker(lay *layout, kind event.Kind, fn func(*Kept) error) *checker {
	return &checker{w: newReader(lay), kind: kind, sh: newShredder(lay, func(*column, int) {}), decoder: event.NewDecoder(), version: event.DecoderVersion, fn: fn}
}

func (c *checker) file(ctx context.Context, path string, rows int64, said *proof.Stats) (problems []string, err error) {
	defer func() {
		if p := recover(); p != nil { // the library's readers do on some damaged files
			c.tell("it cannot be read: %v", p)
			problems = c.problems
		}
	}()
	if c.src, err = c.w.openSource(path, rows); err != nil {
		return []string{err.Error()}, nil
	}
	if err := c.claims(said); err != nil {
		return nil, err
	}
	if err := c.columns(ctx, rows, said); err != nil {
		return c.problems, c.content(ctx, err)
	}
	if err := c.texts(ctx); err != nil {
		return c.problems, c.content(ctx, err)
	}
	return c.problems, nil
}

// newReader is a rewriter that only reads.
func newReader(lay *layout) *rewriter {
	return &rewriter{lay: lay, pause: func(ctx context.Context) error { return ctx.Err() }}
}

// errStop ends the reading of a file of which enough is told.
var errStop = errors.New("enough is told")

type fnError struct{ error }

// content makes an error of the file's content a problem.
func (c *checker) content(ctx context.Context, err error) error {
	if own, ok := errors.AsType[fnError](err); ok {
		return own.error
	}
	if ctx.Err() != nil || errors.Is(err, errStop) {
		return ctx.Err()
	}
	c.tell("%v", err)
	return nil
}

// tell adds a problem, up to the most that are told.
func (c *checker) tell(format string, args ...any) {
	if len(c.problems) == problemsMost {
		return
	}
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// checker checks one file.
type checker struct {
	w       *rewriter
	src     *source
	kind    event.Kind
	sh      *shredder
	decoder *event.Decoder
	version int64 // of the decoder
	fn      func(*Kept) error
	held    []holder // by leaf

	rows     []checked
	batch    []Row
	records  []event.Record
	first    int64 // row of batch's first
	problems []string
}

// checked is what a row's columns hold.
type checked struct {
	Envelope
	id      string
	decoder int64
	time    int64
	sum     uint64 // of the columns that are compared
	more    int32  // 1 + a leaf that holds something and that no tombstone has; 0: none does
}

// told tells whether text and envelope tell what the leaf holds, if the row's decoder knew of it.
func (c *checker) told(leaf int) bool {
	path := c.w.lay.leaves[leaf].path
	return leaf != c.w.lay.hidden.decoder && (c.kind != event.Activity || path != "eventid" && path != "metadata.ingestiontime")
}

// late tells whether the leaf came later than the decoder that filled the row.
func (c *checker) late(leaf int, r *checked) bool {
	since := c.w.lay.leaves[leaf].since
	return since > 1 && int64(since) > r.decoder
}

// columns reads every column but the text, and first of all which decoder filled the others.
func (c *checker) columns(ctx context.Context, rows int64, said *proof.Stats) error {
	c.rows = make([]checked, rows)
	h := &c.w.lay.hidden
	leaves := []int{h.decoder}
	for leaf := range c.w.lay.leaves {
		if leaf != h.text && leaf != h.decoder {
			leaves = append(leaves, leaf)
		}
	}
	strayed := false
	var writer, provenance string // of the row before
	for _, leaf := range leaves {
		id := c.w.lay.leaves[leaf].path == "eventid"
		told, kept, held := c.told(leaf), c.w.lay.kept(leaf), &c.held[leaf]
		err := c.w.read(ctx, c.src, leaf, everyGroup, func(row int64, v *cell) error {
			r := &c.rows[row]
			held.cell(row, v)
			switch {
			case c.late(leaf, r):
				if n := c.w.lay.newer(leaf, r.decoder); slices.Max(v.defs) >= n {
					c.tell("row %d: decoder version %d filled it, and column %s, which came with %d, holds something", row, r.decoder, c.w.lay.leaves[leaf].path, c.w.lay.leaves[leaf].since)
				}
			case told:
				r.sum += c.w.sum(v) * weight(leaf)
			}
			if id {
				r.id = v.text()
			}
			if !kept && !v.null() {
				r.more = int32(leaf) + 1
			}
			switch leaf {
			case h.time:
				if r.time = v.num(); said != nil && dayOf(r.time) != said.Day && !strayed {
					strayed = true
					c.tell("row %d is of %s, and by %s the file's events are of %s: queries would miss it", row, dayName(dayOf(r.time)), manifestSays, dayName(said.Day))
				}
			case h.writer:
				r.Writer = v.same(writer)
				writer = r.Writer
			case h.provenance:
				r.Provenance = v.same(provenance)
				provenance = r.Provenance
			case h.epoch:
				r.Epoch = v.num()
			case h.sequence:
				r.Sequence = v.num()
			case h.position:
				r.Position = int32(v.num())
			case h.accepted:
				r.Accepted = v.num()
			case h.decoder:
				if r.decoder = v.num(); r.decoder < 1 || r.decoder > c.version {
					c.tell("row %d: no decoder has version %d; the newest has %d", row, r.decoder, c.version)
				}
			case h.conflict:
				r.Conflict = v.num() == 1
			}
			return nil
		})
		if err != nil {
			return err
		}
		if held.finish(); len(c.problems) >= problemsMost {
			return errStop
		}
	}
	return nil
}

// null tells whether the column holds nothing for the row, nor for anything around it.
func (c *cell) null() bool { return len(c.defs) == 1 && c.defs[0] == 0 }

// bytes is the cell's text, nil where it has none, until the next cell is read.
func (c *cell) bytes() []byte {
	if len(c.raw) < 4 {
		return nil
	}
	return c.raw[4 : 4+binary.LittleEndian.Uint32(c.raw)]
}

// text is the cell's text, "" where it has none.
func (c *cell) text() string { return string(c.bytes()) }

// same is the cell's text, in the memory of another where that is equal.
func (c *cell) same(other string) string {
	if other == string(c.bytes()) {
		return other
	}
	return c.text()
}

func (c *cell) num() int64 {
	if len(c.nums) == 0 {
		return 0
	}
	return c.nums[0]
}

// texts reads the texts, and derives from them what the columns must hold.
func (c *checker) texts(ctx context.Context) error {
	c.batch, c.records = make([]Row, 0, checkRows), make([]event.Record, checkRows)
	held := &c.held[c.w.lay.hidden.text]
	err := c.w.read(ctx, c.src, c.w.lay.hidden.text, everyGroup, func(row int64, v *cell) error {
		held.cell(row, v)
		if erased, ok := proof.ParseTombstone(v.bytes()); ok {
			return c.tombstone(ctx, row, erased)
		}
		c.rows[row].sum += c.w.sum(v) * weight(c.w.lay.hidden.text)
		if err := c.add(row, bytes.Clone(v.bytes())); err != nil {
			return err
		}
		if len(c.batch) == checkRows {
			return c.compare(ctx)
		}
		return nil
	})
	if err != nil {
		return err
	}
	held.finish()
	return c.compare(ctx)
}

// tombstone checks a row whose event was erased: nothing may be left of it.
func (c *checker) tombstone(ctx context.Context, row int64, erased proof.Hash) error {
	if err := c.compare(ctx); err != nil { // rows of a batch lie next to each other
		return err
	}
	r := &c.rows[row]
	if r.more > 0 {
		c.tell("row %d (%s): its event was erased, and column %s still holds something", row, r.id, c.w.lay.leaves[r.more-1].path)
	}
	k := Kept{Event: proof.Event{ID: proof.IDOf([]byte(r.id), erased), Writer: r.Writer, Epoch: r.Epoch, Sequence: r.Sequence, Position: r.Position,
		Accepted: r.Accepted, Provenance: r.Provenance, Conflict: r.Conflict, Text: erased}, Day: dayOf(r.time), Time: r.time, Row: row, Erased: true}
	if err := c.fn(&k); err != nil {
		return fnError{err}
	}
	return nil
}

// dayOf gives the day of an eventTime in microseconds. No event is from before 1970.
func dayOf(micros int64) int32 { return int32(micros / (86400 * 1_000_000)) }

// add decodes a row's text.
func (c *checker) add(row int64, text []byte) error {
	if len(c.batch) == 0 {
		c.first = row
	}
	r := &c.rows[row]
	rec := &c.records[len(c.batch)]
	var err error
	if c.kind == event.Activity {
		*rec, err = c.activity(r, text)
	} else {
		*rec, err = c.decoder.Decode(text)
	}
	if err != nil {
		c.tell("row %d (%s): its text is no event: %v", row, r.id, err)
		return errStop
	}
	c.batch = append(c.batch, Row{rec, r.Envelope})
	k := Kept{Event: proof.Event{ID: proof.IDOf([]byte(r.id), rec.Hash), Writer: r.Writer, Epoch: r.Epoch, Sequence: r.Sequence, Position: r.Position,
		Accepted: r.Accepted, Provenance: r.Provenance, Conflict: r.Conflict, Text: rec.Hash}, Day: rec.Day(), Time: r.time, Row: row}
	if err := c.fn(&k); err != nil {
		return fnError{err}
	}
	return nil
}

// activity decodes what came through a channel, whose ARN, the provenance, tells the account and the region.
func (c *checker) activity(r *checked, text []byte) (event.Record, error) {
	arn := strings.Split(r.Provenance, ":") // arn:aws:cloudtrail:REGION:ACCOUNT:channel/ID
	if len(arn) != 6 {
		return event.Record{}, fmt.Errorf("its provenance %.100q is no channel's ARN", r.Provenance)
	}
	return c.decoder.DecodeActivity(text, "", r.Provenance, arn[4], arn[3], time.UnixMicro(r.Accepted))
}

// compare derives the columns of the rows at hand.
func (c *checker) compare(ctx context.Context) error {
	if len(c.batch) == 0 {
		return nil
	}
	index := make([]int32, len(c.batch))
	for i := range index {
		index[i] = int32(i)
	}
	if err := c.sh.shred(c.batch, index); err != nil {
		return err
	}
	want := make([]uint64, len(c.batch))
	for leaf := range c.sh.cols {
		if c.told(leaf) {
			c.sh.cols[leaf].each(len(want), func(row int, v *cell) {
				if !c.late(leaf, &c.rows[c.first+int64(row)]) {
					want[row] += c.w.sum(v) * weight(leaf)
				}
			})
		}
	}
	for i, sum := range want {
		row := c.first + int64(i)
		if r := &c.rows[row]; r.sum != sum && r.decoder <= c.version { // what a newer decoder says cannot be known
			path, err := c.differing(ctx, i)
			if err != nil {
				return err
			}
			c.tell("row %d (%s): column %s says other than the text", row, r.id, path)
			if len(c.problems) >= problemsMost {
				return errStop
			}
		}
	}
	c.batch = c.batch[:0]
	return nil
}

// differing names the column in which a row of the batch differs from its text.
func (c *checker) differing(ctx context.Context, i int) (string, error) {
	other := newReader(c.w.lay)
	other.hash.SetSeed(c.w.hash.Seed())
	for leaf := range c.sh.cols {
		if !c.told(leaf) || c.late(leaf, &c.rows[c.first+int64(i)]) {
			continue
		}
		var want, got uint64
		c.sh.cols[leaf].each(len(c.batch), func(row int, v *cell) {
			if row == i {
				want = v.sum(&other.hash)
			}
		})
		err := other.read(ctx, c.src, leaf, everyGroup, func(row int64, v *cell) error {
			if row == c.first+int64(i) {
				got = v.sum(&other.hash)
			}
			return nil
		})
		if err != nil {
			return "", err
		}
		if got != want {
			return c.w.lay.leaves[leaf].path, nil
		}
	}
	return "?", nil
}

// each calls fn with what the column has for each of the rows; it ends the column's dictionary.
func (c *column) each(rows int, fn func(row int, v *cell)) {
	if c.numbered {
		c.spell()
	}
	var v cell
	entry, raw, num := 0, c.raw, c.nums
	for row := range rows {
		v.reset()
		for n := 0; entry < len(c.defs) && (n == 0 || c.leaf.repeated && c.reps[entry] != 0); n++ {
			v.defs = append(v.defs, c.defs[entry])
			if c.leaf.repeated {
				v.reps = append(v.reps, c.reps[entry])
			}
			if c.defs[entry] == c.leaf.maxDef {
				if c.leaf.text() {
					end := 4 + binary.LittleEndian.Uint32(raw)
					v.raw = append(v.raw, raw[:end]...)
					raw = raw[end:]
				} else {
					v.nums = append(v.nums, num[0])
					num = num[1:]
				}
			}
			entry++
		}
		fn(row, &v)
	}
}
