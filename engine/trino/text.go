package trino

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// signature is a type as the client protocol describes it.
type signature struct {
	RawType   string     `json:"rawType"`
	Arguments []argument `json:"arguments"`
}

// argument is one parameter of a type: a type, a named type or a number.
type argument struct {
	Kind  string          `json:"kind"`
	Value json.RawMessage `json:"value"`
}

type namedType struct {
	FieldName *struct {
		Name string `json:"name"`
	} `json:"fieldName"`
	TypeSignature signature `json:"typeSignature"`
}

// inner gives the types inside and, of a row, their names ("field0" where there is none, as Trino's clients show them).
func (s *signature) inner() (types []signature, names []string, err error) {
	for i, a := range s.Arguments {
		var n namedType
		switch a.Kind {
		case "TYPE":
			err = json.Unmarshal(a.Value, &n.TypeSignature)
		case "NAMED_TYPE":
			err = json.Unmarshal(a.Value, &n)
		default:
			err = fmt.Errorf("a parameter of kind %s", a.Kind)
		}
		if err != nil {
			return nil, nil, err
		}
		name := "field" + strconv.Itoa(i)
		if n.FieldName != nil {
			name = n.FieldName.Name
		}
		types, names = append(types, n.TypeSignature), append(names, name)
	}
	return types, names, nil
}

// text writes a value that is not null in the form in which Trino's command line shows it. Numbers stay as the server wrote them, which is Java's form.
func (s *signature) text(b *strings.Builder, raw json.RawMessage) error {
	switch s.RawType {
	case "array":
		return s.list(b, raw)
	case "map":
		return s.pairs(b, raw)
	case "row":
		return s.row(b, raw)
	case "varbinary":
		return binaryText(b, raw)
	}
	if len(raw) > 0 && raw[0] == '"' {
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
		b.WriteString(text)
		return nil
	}
	b.Write(raw)
	return nil
}

// part is text for a value inside another.
func (s *signature) part(b *strings.Builder, raw json.RawMessage) error {
	if string(raw) == "null" {
		b.WriteString("null")
		return nil
	}
	return s.text(b, raw)
}

func (s *signature) list(b *strings.Builder, raw json.RawMessage) error {
	types, _, err := s.inner()
	if err != nil {
		return err
	}
	var elems []json.RawMessage
	if err := json.Unmarshal(raw, &elems); err != nil {
		return err
	}
	b.WriteByte('[')
	for i, e := range elems {
		if i > 0 {
			b.WriteString(", ")
		}
		if err := types[0].part(b, e); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

// pairs keeps the order in which the server wrote them.
func (s *signature) pairs(b *strings.Builder, raw json.RawMessage) error {
	types, _, err := s.inner()
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return err
	}
	b.WriteByte('{')
	for i := 0; d.More(); i++ {
		if i > 0 {
			b.WriteString(", ")
		}
		key, err := d.Token()
		if err != nil {
			return err
		}
		text, ok := key.(string)
		if !ok {
			return errors.New("a key that is no string")
		}
		b.WriteString(text)
		b.WriteByte('=')
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := types[1].part(b, value); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

func (s *signature) row(b *strings.Builder, raw json.RawMessage) error {
	types, names, err := s.inner()
	if err != nil {
		return err
	}
	var fields []json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	if len(fields) != len(types) {
		return fmt.Errorf("%d fields of a row of %d", len(fields), len(types))
	}
	b.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(names[i])
		b.WriteByte('=')
		if err := types[i].part(b, f); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

// binaryText writes bytes as pairs of hexadecimal digits with spaces between.
func binaryText(b *strings.Builder, raw json.RawMessage) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	for i, c := range data {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(b, "%02x", c)
	}
	return nil
}

var decimalType = regexp.MustCompile(`decimal\((\d+), (\d+)\)`)

// typeText writes a type as Trino's typeof does, where the client protocol has forms of its own.
func typeText(s string) string {
	s = decimalType.ReplaceAllString(s, "decimal($1,$2)")
	s = strings.ReplaceAll(s, "INTERVAL DAY TO SECOND", "interval day to second")
	return strings.ReplaceAll(s, "INTERVAL YEAR TO MONTH", "interval year to month")
}
