package model

import (
	_ "embed"
	"net/url"
	"reflect"
	"sync"
)

//go:embed cloudtrail.json
var source []byte

// Operation is one operation of the service model.
type Operation struct {
	Name    string
	Service string          // the name in a signature's scope: cloudtrail or cloudtrail-data
	Errors  map[string]bool // the exceptions that AWS documents for it
	input   *shape
}

// Lookup finds an operation by its name; nil where the model has none.
func Lookup(name string) *Operation { return compiled().operations[name] }

// Names lists the operations that the model has, in no order.
func Names() []string {
	var names []string
	for n := range compiled().operations {
		names = append(names, n)
	}
	return names
}

// compiled is the model, read once. It is part of the program: that it compiles is for a test to show.
var compiled = sync.OnceValue(func() *service {
	s, err := compile(source)
	if err != nil {
		panic("model: " + err.Error())
	}
	return s
})

// Decode reads a request into the operation's generated input type, to which into points, and validates it by the model in the same pass. Body is the
// JSON document (empty stands for {}); query holds the members that REST-JSON puts there. Unknown members are skipped, as AWS does; names match exactly;
// of duplicate members the last holds; null is absence. What is not JSON, or of another type than the model's, is SerializationException; what breaks
// the model's limits is the error that AWS documents for it, else ValidationException, with every violation told.
func (o *Operation) Decode(body []byte, query url.Values, into any) error {
	d := decoder{op: o, b: body}
	return d.document(query, reflect.ValueOf(into).Elem())
}
