package lake

import (
	"fmt"

	"github.com/apache/iceberg-go"

	"github.com/lochlake/loch/event"
)

// dayPartitionID is the id of the one partition field: the day of eventtime. Iceberg numbers partition fields from 1000.
const dayPartitionID = 1000

// icebergSchema gives the table schema of a kind, with the field ids that event.Schema fixes. Every field is optional, so that any of them may
// be missing from files written before it was added.
func icebergSchema(ts *event.TableSchema) (*iceberg.Schema, error) {
	fields, err := icebergFields(ts.Columns)
	if err != nil {
		return nil, fmt.Errorf("schema of kind %s: %w", ts.Kind, err)
	}
	return iceberg.NewSchema(0, fields...), nil
}

func icebergFields(cols []event.Column) ([]iceberg.NestedField, error) {
	fields := make([]iceberg.NestedField, 0, len(cols))
	for i := range cols {
		c := &cols[i]
		if c.Computed {
			continue
		}
		t, err := icebergType(c)
		if err != nil {
			return nil, err
		}
		fields = append(fields, iceberg.NestedField{ID: c.ID, Name: c.Name, Type: t})
	}
	return fields, nil
}

func icebergType(c *event.Column) (iceberg.Type, error) {
	switch c.Type {
	case event.String:
		return iceberg.PrimitiveTypes.String, nil
	case event.Boolean:
		return iceberg.PrimitiveTypes.Bool, nil
	case event.Timestamp:
		return iceberg.PrimitiveTypes.Timestamp, nil
	case event.Long:
		return iceberg.PrimitiveTypes.Int64, nil
	case event.Int:
		return iceberg.PrimitiveTypes.Int32, nil
	case event.Double:
		return iceberg.PrimitiveTypes.Float64, nil
	case event.Struct:
		fields, err := icebergFields(c.Fields)
		return &iceberg.StructType{FieldList: fields}, err
	case event.List:
		el, err := icebergType(&c.Fields[0])
		return &iceberg.ListType{ElementID: c.Fields[0].ID, Element: el}, err
	case event.Map:
		return &iceberg.MapType{
			KeyID: c.Fields[0].ID, KeyType: iceberg.PrimitiveTypes.String,
			ValueID: c.Fields[1].ID, ValueType: iceberg.PrimitiveTypes.String,
		}, nil
	}
	return nil, fmt.Errorf("column %s has unknown type %d", c.Name, c.Type)
}

func dayPartition(sc *iceberg.Schema) (iceberg.PartitionSpec, error) {
	f, ok := sc.FindFieldByName("eventtime")
	if !ok {
		return iceberg.PartitionSpec{}, fmt.Errorf("schema has no eventtime")
	}
	return iceberg.NewPartitionSpec(iceberg.PartitionField{
		SourceIDs: []int{f.ID}, FieldID: dayPartitionID, Name: "eventtime_day", Transform: iceberg.DayTransform{},
	}), nil
}

// additive tells why a table with schema have cannot become one with schema want: a field is gone, or changed its type or name.
// (Names are part of old files' meaning to readers that do not go by field id.)
func additive(have, want *iceberg.Schema) error {
	fields, err := have.FlatFields()
	if err != nil {
		return err
	}
	for f := range fields {
		w, ok := want.FindFieldByID(f.ID)
		switch _, nested := f.Type.(iceberg.NestedType); {
		case !ok:
			return fmt.Errorf("field %d (%s) is missing from this version's schema: the table was written by a newer one", f.ID, f.Name)
		case w.Name != f.Name:
			return fmt.Errorf("field %d is %s in the table and %s in this version", f.ID, f.Name, w.Name)
		case !nested && !w.Type.Equals(f.Type), nested && w.Type.Type() != f.Type.Type():
			return fmt.Errorf("field %d (%s) is %s in the table and %s in this version", f.ID, f.Name, f.Type, w.Type)
		}
	}
	return nil
}
