package verify

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lochlake/loch/event"
	"github.com/lochlake/loch/lake"
	"github.com/lochlake/loch/proof"
	"github.com/lochlake/loch/tlog"
)

// rowChange is what a server that writes wrongly makes of a record's rows, whose batches' leaves are right; i is a row's index. It says what must be named by a.named, or no.
type rowChange func(a *attempt, r *wrongRecord, i int) bool

// wrongRecord is a record of the durable log on its way to the table.
type wrongRecord struct {
	rows    []lake.Row
	batches []proof.Batch // of the rows as they were accepted
}

// batchOf is the batch that a row came in.
func (r *wrongRecord) batchOf(i int) *proof.Batch {
	at := slices.IndexFunc(r.batches, func(b proof.Batch) bool {
		return b.Day == dayName(&r.rows[i]) && b.First <= int32(i) && int32(i) <= b.Last
	})
	return &r.batches[at]
}

func dayName(r *lake.Row) string {
	return time.Unix(int64(r.Event.Day())*86400, 0).UTC().Format(time.DateOnly)
}

// accepted are the batches that rows of one record make: as docs/proofs.md says, for the lake has its own.
func accepted(rows []lake.Row) (out []proof.Batch) {
	var hasher proof.Hasher
	for _, day := range tamperDays {
		var tree proof.Tree
		var b proof.Batch
		for i := range rows {
			r := &rows[i]
			if dayName(r) != day {
				continue
			}
			if tree.Size() == 0 {
				b = proof.Batch{Writer: r.Writer, Epoch: r.Epoch, Sequence: r.Sequence, Day: day, First: r.Position}
			}
			b.Last = r.Position
			tree.Add(hasher.Leaf(&proof.Event{ID: r.Event.ID, Writer: r.Writer, Epoch: r.Epoch, Sequence: r.Sequence, Position: r.Position, Accepted: r.Accepted,
				Provenance: r.Provenance, Conflict: r.Conflict, Text: r.Event.Hash}))
		}
		if b.Count, b.Root = int64(tree.Size()), proof.Digest(tree.Root()); b.Count > 0 {
			out = append(out, b)
		}
	}
	return out
}

// blamed says that the batch must be named that row i came in.
func (a *attempt) blamed(r *wrongRecord, i int, problem string) {
	b := r.batchOf(i)
	a.named(a.dayFolder(b.Day), batchName(b)+problem)
}

const (
	otherCount = " has "
	otherEvent = ": an event in it is not the one that was accepted, or has changed its place"
)

// free is a batch of that day that is in the table, and a position in it that no event has.
func (a *attempt) free(day string) (b *proof.Batch, position int32) {
	var all []*proof.Batch
	for at, list := range a.history.batches {
		for _, b := range list {
			if at.day == day && b.Last-b.First > 1 && b.Last < 10 && b.Count == int64(b.Last-b.First)/2+1 { // every second position
				all = append(all, b)
			}
		}
	}
	if len(all) == 0 {
		return nil, 0
	}
	slices.SortFunc(all, func(a, b *proof.Batch) int {
		return bytes.Compare(fmt.Append(nil, a.Sequence, a.First), fmt.Append(nil, b.Sequence, b.First))
	})
	b = pick(a, all)
	return b, b.First + 1 + 2*int32(a.rng.IntN(int(b.Last-b.First)/2))
}

var rowChanges = []struct {
	name   string
	change rowChange
}{
	{"row removed", func(a *attempt, r *wrongRecord, i int) bool {
		a.blamed(r, i, otherCount)
		r.rows = slices.Delete(r.rows, i, i+1)
		return true
	}},
	{"row added at a free position", func(a *attempt, r *wrongRecord, i int) bool {
		more := r.rows[i]
		more.Position++ // where the other day has an event
		a.blamed(r, i, otherCount)
		r.rows = slices.Insert(r.rows, i+1, more)
		return true
	}},
	{"row added behind the last", func(a *attempt, r *wrongRecord, i int) bool {
		more := r.rows[i]
		more.Position = 99
		r.rows = append(r.rows, more)
		a.named(a.dayFolder(dayName(&more)), fmt.Sprintf("1 events of sequence %d and day %s belong to no batch", more.Sequence, dayName(&more)))
		return true
	}},
	{"row added to another batch", func(a *attempt, r *wrongRecord, i int) bool {
		more := r.rows[i]
		b, position := a.free(dayName(&more))
		if b == nil {
			return false
		}
		more.Sequence, more.Position = b.Sequence, position
		r.rows = append(r.rows, more)
		a.named(a.dayFolder(b.Day), batchName(b)+otherCount)
		return true
	}},
	{"row twice", func(a *attempt, r *wrongRecord, i int) bool {
		a.blamed(r, i, otherCount)
		r.rows = slices.Insert(r.rows, i, r.rows[i])
		return true
	}},
	{"row moved to a free position of another batch", func(a *attempt, r *wrongRecord, i int) bool {
		b, position := a.free(dayName(&r.rows[i]))
		if b == nil {
			return false
		}
		a.blamed(r, i, otherCount)
		a.named(a.dayFolder(b.Day), batchName(b)+otherCount)
		r.rows[i].Sequence, r.rows[i].Position = b.Sequence, position
		return true
	}},
	{"row moved to a free position of its batch", func(a *attempt, r *wrongRecord, i int) bool {
		a.blamed(r, i, otherEvent)
		r.rows[i].Position++
		return true
	}},
	{"row moved to a batch that there is not", func(a *attempt, r *wrongRecord, i int) bool {
		a.blamed(r, i, otherCount)
		r.rows[i].Sequence += 1000
		a.named(a.dayFolder(dayName(&r.rows[i])), fmt.Sprintf("1 events of sequence %d and day %s belong to no batch", r.rows[i].Sequence, dayName(&r.rows[i])))
		return true
	}},
	{"rows exchanged", func(a *attempt, r *wrongRecord, i int) bool {
		j := (i + 2) % 8
		a.blamed(r, i, otherEvent)
		r.rows[i].Position, r.rows[j].Position = r.rows[j].Position, r.rows[i].Position
		return true
	}},
	{"row replaced", func(a *attempt, r *wrongRecord, i int) bool {
		text := bytes.Replace(r.rows[i].Event.Text, []byte(`"eventID":"0`), []byte(`"eventID":"f`), 1)
		other, err := event.NewDecoder().Decode(text)
		a.ok(err)
		a.blamed(r, i, otherEvent)
		r.rows[i].Event = &other
		return true
	}},
	{"text of a row", func(a *attempt, r *wrongRecord, i int) bool {
		other := *r.rows[i].Event
		other.Text = bytes.Replace(other.Text, []byte(":user/u"), []byte(":user/v"), 1)
		a.blamed(r, i, otherEvent)
		r.rows[i].Event = &other
		return true
	}},
	{"envelope of a row", func(a *attempt, r *wrongRecord, i int) bool {
		row := &r.rows[i]
		problem := otherEvent
		switch a.rng.IntN(5) {
		case 0:
			row.Accepted++
		case 1:
			row.Provenance += "x"
		case 2:
			row.Conflict = !row.Conflict
		case 3:
			row.Epoch++
			problem = otherCount
		default:
			row.Writer += "x"
			problem = otherCount
		}
		a.blamed(r, i, problem)
		return true
	}},
	{"column of a row", func(a *attempt, r *wrongRecord, i int) bool {
		other := *r.rows[i].Event
		other.Fields = slices.Clone(other.Fields)
		if a.rng.IntN(3) == 0 {
			other.Fields = other.Fields[:len(other.Fields)-1]
		} else {
			at := slices.IndexFunc(other.Fields, func(f event.Field) bool { return other.Val(&f) != nil })
			other.Add(other.Fields[at].Node, other.Fields[at].Elem, 0, other.Key(&other.Fields[at]), []byte("x"))
			last := len(other.Fields) - 1
			other.Fields[at], other.Fields = other.Fields[last], other.Fields[:last]
		}
		r.rows[i].Event = &other
		a.want = append(a.want, nil) // the file, whose name is not known yet
		return true
	}},
}

func rowKinds() (out []kind) {
	for _, c := range rowChanges {
		out = append(out, kind{c.name, func(a *attempt) bool { return a.wrong(c.change) }})
	}
	return out
}

// wrong commits a record whose rows are not those of its batches, to a copy of the lake, and does with it what was done with such a lake: merges, erases, removes by retention.
func (a *attempt) wrong(change rowChange) bool {
	a.t.Helper()
	seq := a.seq
	r := &wrongRecord{rows: a.rows(10)}
	a.bed.seq = seq // the next attempt's record has the same
	r.batches = accepted(r.rows)
	i := a.rng.IntN(8) // the last two have a day each whose events are as they were
	if a.name == "retained" {
		i |= 1 // of the day that stays
	}
	id := r.rows[i].Event.ID
	wrong := &wrongRecord{slices.Clone(r.rows), r.batches}
	if !change(a, wrong, i) {
		return false
	}
	a.does("event %s, %d of sequence %d", id, i, r.rows[i].Sequence)
	a.redo, a.opt.Full = true, true
	db := a.edited()
	a.opt.Meta = db
	lie := &liar{DB: db, use: true}
	for _, b := range r.batches {
		l, err := proof.Leaf{Batch: &b}.Encode()
		a.ok(err)
		lie.batches = append(lie.batches, l)
	}
	l, err := lake.Open(a.t.Context(), lake.Config{Objects: a.objects, Meta: lie})
	a.ok(err)
	files, err := l.Write(a.t.Context(), a.store, wrong.rows)
	a.ok(err)
	a.ok(l.Commit(a.t.Context(), a.store, files, r.rows[0].Sequence))
	lie.use = false
	now := &bed{t: a.t, dir: a.dir, objects: a.objects, db: db, lake: l, store: a.store}
	switch a.name {
	case "compacted":
		now.compact()
	case "retained":
		now.retain()
	case "erased":
		now.erase(r.rows[8].Event.ID)
	}
	logs := tlog.Open(tlog.Config{Meta: db, Objects: a.objects, Key: key, Every: time.Hour})
	a.ok(logs.Close(a.t.Context()))
	if at := slices.IndexFunc(a.want, func(some []Finding) bool { return some == nil }); at >= 0 {
		a.want[at] = a.fileWith(db, wrong.rows[i].Event, id)
	}
	return true
}

// fileWith asks for a finding of a file of the event's day, which tells of the event.
func (a *attempt) fileWith(db Meta, e *event.Record, id string) (some []Finding) {
	h, _, err := (&run{Options: Options{Objects: a.objects, Meta: db, Key: key.Public()}}).log(a.t.Context(), a.store)
	a.ok(err)
	for path := range h.files {
		if strings.Contains(path, "eventtime_day="+time.Unix(int64(e.Day())*86400, 0).UTC().Format(time.DateOnly)) {
			some = append(some, Finding{Object: "tables/" + a.store + "/" + path, Problem: "(" + id + "): column "})
		}
	}
	return some
}
