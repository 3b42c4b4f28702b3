package functions

import (
	"errors"
	"strconv"
	"sync"

	"github.com/lochlake/loch/javatext"
	"github.com/lochlake/loch/sqljson"
)

// compiled keeps what was made of the paths and forms of a statement, which are few: they are constants of it, or a column's.
type compiled[T any] struct {
	make  func(string) (T, error)
	mu    sync.RWMutex
	known map[string]T
}

// maxCompiled bounds how many are kept.
const maxCompiled = 1000

func compile[T any](build func(string) (T, error)) *compiled[T] {
	return &compiled[T]{make: build, known: map[string]T{}}
}

func (c *compiled[T]) get(v Value) (T, error) {
	c.mu.RLock()
	x, ok := c.known[v.Text()]
	c.mu.RUnlock()
	if ok {
		return x, nil
	}
	text := string(append([]byte(nil), v.Bytes()...))
	x, err := c.make(text)
	if err != nil {
		return x, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxCompiled {
		clear(c.known)
	}
	c.known[text] = x
	return x, nil
}

// jsons are the functions over JSON texts. Those over paths of json_extract fail where the path is none.
func jsons(d definer) {
	d.failing("loch_json_parse(varchar) varchar", func(a Row, r *Result) error {
		text, err := sqljson.Parse(a.At(0).Text())
		if err == nil {
			r.Text(text)
		}
		return err
	})
	d.failing("loch_is_json_scalar(varchar) boolean", func(a Row, r *Result) error {
		is, err := sqljson.IsScalar(a.At(0).Text())
		if err == nil {
			r.Bool(is)
		}
		return err
	})
	paths := compile(sqljson.Steps)
	at := func(give func(text string, steps []string, r *Result) (bool, error)) func(Row, *Result) error {
		return func(a Row, r *Result) error {
			steps, err := paths.get(a.At(1))
			if err != nil {
				return err
			}
			ok, err := give(a.At(0).Text(), steps, r)
			if !ok && err == nil {
				r.Null()
			}
			return err
		}
	}
	d.failing("loch_json_extract(varchar, varchar) varchar", at(func(text string, steps []string, r *Result) (bool, error) {
		out, ok, err := sqljson.Extract(text, steps)
		if ok {
			r.Bytes(out)
		}
		return ok, err
	}))
	d.failing("loch_json_extract_scalar(varchar, varchar) varchar", at(func(text string, steps []string, r *Result) (bool, error) {
		out, ok, err := sqljson.ExtractScalar(text, steps)
		if ok {
			r.Text(out)
		}
		return ok, err
	}))
	d.failing("loch_json_size(varchar, varchar) bigint", at(func(text string, steps []string, r *Result) (bool, error) {
		n, ok, err := sqljson.Size(text, steps)
		if ok {
			r.Int(n)
		}
		return ok, err
	}))
	d.define("loch_json_array_length(varchar) bigint", func(a Row, r *Result) {
		if n, ok, _ := sqljson.ArrayLength(a.At(0).Text()); ok {
			r.Int(n)
		} else {
			r.Null()
		}
	})
	d.failing("loch_json_array_get(varchar, bigint) varchar", func(a Row, r *Result) error {
		out, ok, err := sqljson.ArrayGet(a.At(0).Text(), a.At(1).Int())
		if ok {
			r.Text(out)
		} else if err == nil {
			r.Null()
		}
		return err
	})
	for sort, is := range map[string]func(*sqljson.Element, Value) bool{
		"varchar": func(e *sqljson.Element, v Value) bool { return e.Text(v.Text()) },
		"bigint":  func(e *sqljson.Element, v Value) bool { return e.Bigint(v.Int()) },
		"boolean": func(e *sqljson.Element, v Value) bool { return e.Bool(v.Bool()) },
		"double":  func(e *sqljson.Element, v Value) bool { return e.Double(v.Double()) },
	} {
		d.define("loch_json_array_contains_"+sort+"(varchar, "+sort+") boolean", func(a Row, r *Result) {
			found, ok, _ := sqljson.ArrayContains(a.At(0).Text(), func(e *sqljson.Element) bool { return is(e, a.At(1)) })
			if ok {
				r.Bool(found)
			} else {
				r.Null()
			}
		})
	}
	jsonCasts(d)
	jsonQueries(d)
}

// jsonCasts are the parts of casts from and to JSON.
func jsonCasts(d definer) {
	d.define("loch_json_scalar(varchar) varchar", func(a Row, r *Result) { r.Text(sqljson.Scalar(a.At(0).Text())) })
	// The first element is what the text is: '[' or '{', 'n' for null, '0' for other scalars, 'E' for no JSON.
	d.define("loch_json_parts(varchar) array(varchar)", func(a Row, r *Result) {
		open, parts, err := sqljson.Parts(a.At(0).Text())
		r.Begin()
		if err != nil {
			r.Elem().Text("E")
		} else {
			r.Elem().Text(string(open))
		}
		for _, p := range parts {
			r.Elem().Text(p)
		}
		r.End()
	})
	d.define("loch_json_row(varchar, array(varchar)) array(varchar)", func(a Row, r *Result) {
		names := a.At(1)
		fields := make([]string, names.Len())
		for i := range fields {
			fields[i] = names.Elem(i).Text()
		}
		open, values := sqljson.Row(a.At(0).Text(), fields)
		r.Begin()
		r.Elem().Text(string(open))
		for _, v := range values {
			if e := r.Elem(); v == "" {
				e.Null()
			} else {
				e.Text(v)
			}
		}
		r.End()
	})
	d.define("loch_json_quote(varchar) varchar", func(a Row, r *Result) { r.Text(sqljson.Quote(a.At(0).Text())) })
	number := func(text string, bits int) string {
		f, err := strconv.ParseFloat(text, bits)
		out := string(javatext.AppendDouble(nil, f, bits))
		if err != nil && !errors.Is(err, strconv.ErrRange) || f-f != 0 {
			return strconv.Quote(out)
		}
		return out
	}
	d.define("loch_json_double(double) varchar", func(a Row, r *Result) { r.Text(number(strconv.FormatFloat(a.At(0).Double(), 'g', -1, 64), 64)) })
	d.define("loch_json_real(real) varchar", func(a Row, r *Result) { r.Text(number(strconv.FormatFloat(a.At(0).Double(), 'g', -1, 32), 32)) })
	// Java's text of a decimal has an exponent where it is small.
	d.define("loch_json_decimal(varchar) varchar", func(a Row, r *Result) { r.Text(sqljson.DecimalText(a.At(0).Text())) })
	d.define("loch_json_object(array(varchar), array(varchar)) varchar", func(a Row, r *Result) {
		var lists [2][]string
		for i := range lists {
			list := a.At(i)
			for k := range list.Len() {
				if e := list.Elem(k); e.Null() {
					lists[i] = append(lists[i], "null")
				} else {
					lists[i] = append(lists[i], e.Text())
				}
			}
		}
		if len(lists[0]) != len(lists[1]) {
			r.Null()
			return
		}
		r.Text(sqljson.Object(lists[0], lists[1]))
	})
}

// jsonQueries are JSON_VALUE and its like. A result that begins with 'R' is refused.
func jsonQueries(d definer) {
	queries := compile(sqljson.DecodeQuery)
	d.define("loch_json_query(varchar, varchar, varchar) varchar", func(a Row, r *Result) {
		q, err := queries.get(a.At(1))
		if err == nil {
			var out string
			if out, err = q.Run(a.At(0).Text(), a.At(2).Text()); err == nil {
				r.Text(out)
				return
			}
		}
		r.Text("R" + err.Error())
	})
	builds := compile(sqljson.DecodeBuild)
	d.failing("loch_json_build(varchar, varchar) varchar", func(a Row, r *Result) error {
		b, err := builds.get(a.At(0))
		if err != nil {
			return err
		}
		out, err := b.Make(a.At(1).Text())
		if err == nil {
			r.Text(out)
		}
		return err
	})
}
