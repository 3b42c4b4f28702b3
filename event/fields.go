package event

// This file keeps the fields of the event at hand. Positions are counted from the event's first field, since a full slab makes them move.

// slabFields is how many fields a slab holds: about a hundred events' worth.
const slabFields = 4096

// put adds a field and gives its position.
func (d *Decoder) put(n Node, elem uint16, num int64, val span) int {
	if len(d.fields) == cap(d.fields) {
		d.grow()
	}
	at := len(d.fields) - d.first
	d.at[n] = int32(at)
	d.fields = append(d.fields, Field{Node: n, Elem: elem, Num: num, val: val})
	return at
}

// grow takes a new slab and moves the event's fields there; the old one stays with the records before.
func (d *Decoder) grow() {
	own := d.fields[d.first:]
	slab := make([]Field, len(own), max(slabFields, 2*len(own)))
	copy(slab, own)
	d.fields, d.first = slab, 0
}

// claim readies a node for its value: what an earlier duplicate brought goes.
func (d *Decoder) claim(p *plan) {
	word, bit := p.node>>6, uint64(1)<<(p.node&63)
	if d.seen[word]&bit != 0 && d.at[p.node] >= 0 {
		d.remove(p)
	}
	d.seen[word] |= bit
	d.at[p.node] = -1
}

// remove marks the fields of a value, which lie together, as gone, and lets the nodes below it be filled anew.
func (d *Decoder) remove(p *plan) {
	own := d.fields[d.first:]
	for i := int(d.at[p.node]); i < len(own); i++ {
		if own[i].Node == gone {
			continue
		}
		if own[i].Node < p.node || own[i].Node >= p.end {
			break
		}
		own[i].Node = gone
		d.dead++
	}
	d.forget(p)
}

// forget lets the nodes of a value be filled anew: it was removed, or the list's next element begins.
func (d *Decoder) forget(p *plan) {
	for n := p.node; n < p.end; n++ {
		d.seen[n>>6] &^= 1 << (n & 63)
	}
}

// enter adds an entry to the map whose entries begin at position head; an earlier one of the same key goes.
func (d *Decoder) enter(n Node, elem uint16, head int, key, val span) {
	own := d.fields[d.first:]
	name := view(d.bytes(key))
	count := len(own) - head
	earlier := int32(-1)
	switch {
	case count < fewKeys:
		for i := head; i < len(own); i++ {
			if string(d.bytes(own[i].key)) == name && own[i].Node != gone {
				earlier = int32(i)
			}
		}
	case count == fewKeys:
		clear(d.keys)
		for i := head; i < len(own); i++ {
			if own[i].Node != gone {
				d.keys[view(d.bytes(own[i].key))] = int32(i)
			}
		}
		fallthrough
	default:
		if i, ok := d.keys[name]; ok {
			earlier = i
		}
		d.keys[name] = int32(len(own))
	}
	if earlier >= 0 {
		own[earlier].Node = gone
		d.dead++
	}
	at := d.put(n, elem, 0, val)
	d.fields[d.first+at].key = key
}

// sweep closes the gaps that removed fields left.
func (d *Decoder) sweep() {
	own := d.fields[d.first:]
	kept := own[:0]
	for _, f := range own {
		if f.Node != gone {
			kept = append(kept, f)
		}
	}
	d.fields = d.fields[:d.first+len(kept)]
}
