package functions

import "github.com/lochlake/loch/ipaddr"

// addresses are the functions over IP addresses, which are 16 bytes each.
func addresses(d definer) {
	// A text that is no address is NULL; one that is not read here is a single byte.
	d.define("loch_ip_parse(varchar) varbinary", func(a Row, r *Result) {
		b, ok, err := ipaddr.Parse(a.At(0).Text())
		switch {
		case err != nil:
			r.Bytes([]byte{0})
		case ok:
			r.Bytes(b[:])
		default:
			r.Null()
		}
	})
	d.define("loch_ip_from_bytes(varbinary) varbinary", func(a Row, r *Result) {
		if b, ok := ipaddr.FromBytes(a.At(0).Bytes()); ok {
			r.Bytes(b[:])
		} else {
			r.Null()
		}
	})
	d.define("loch_ip_text(varbinary) varchar", func(a Row, r *Result) {
		if b, ok := ipaddr.FromBytes(a.At(0).Bytes()); ok {
			r.Scratch = ipaddr.Append(r.Scratch[:0], b)
			r.Bytes(r.Scratch)
		} else {
			r.Null()
		}
	})
	networks := compile(ipaddr.ParseNetwork)
	d.failing("loch_ip_contains(varchar, varbinary) boolean", func(a Row, r *Result) error {
		n, err := networks.get(a.At(0))
		if err != nil {
			return err
		}
		b, _ := ipaddr.FromBytes(a.At(1).Bytes())
		r.Bool(n.Contains(b))
		return nil
	})
}
