package dialect

// maxListagg is how many bytes listagg answers at most.
const maxListagg = 1 << 20

func init() {
	aggregateBy("listagg(varchar) varchar", "list", "$1", "")
	aggregateBy("listagg(varchar, varchar) varchar", "list", "$1", "")
	for i := range aggregateFunctions["listagg"].sigs {
		aggregateFunctions["listagg"].sigs[i].finish = listagg
	}
}

// listagg joins the texts that are not NULL. Where they are too long together the call fails, or as many of the first as there is room for stay.
func listagg(v *invocation, call value) string {
	separator := stringValue("")
	if len(v.args) > 1 {
		separator = v.args[1]
	}
	list := value{sql: v.template("list_filter($1, lambda x: x IS NOT NULL)", call), typ: ArrayOf(TypeVarchar)}
	limit := itoa(maxListagg)
	over := raise("Concatenated string has the length in bytes larger than the maximum output length "+limit, TypeVarchar)
	rest := []value{list, separator}
	if v.call.overflow == "TRUNCATE" {
		filler := stringValue("...")
		if v.call.filler != nil {
			filler = stringValue(v.call.filler.value)
		}
		// The length so far and how many texts it holds; -1 is the length once one did not fit.
		next := "struct_extract(a, 'l') + struct_extract(x, 'l') + CASE WHEN struct_extract(a, 'n') > 0 THEN strlen($2) ELSE 0 END"
		fits := "struct_extract(list_reduce(list_transform($1, lambda x: {'l': CAST(strlen(x) AS BIGINT), 'n': 0::BIGINT}), lambda a, x: " +
			"CASE WHEN struct_extract(a, 'l') >= 0 AND " + next + " <= " + limit + " THEN {'l': " + next + ", 'n': struct_extract(a, 'n') + 1} " +
			"ELSE {'l': -1::BIGINT, 'n': struct_extract(a, 'n')} END, {'l': 0::BIGINT, 'n': 0::BIGINT}), 'n')"
		over = "array_to_string(list_append(list_slice($1, 1, " + fits + "), $3), $2)"
		if v.call.count {
			over += " || '(' || CAST(len($1) - " + fits + " AS VARCHAR) || ')'"
		}
		rest = append(rest, filler)
	}
	length := "(list_sum(list_transform($1, lambda x: strlen(x))) + (len($1) - 1) * strlen($2))"
	return v.template("CASE WHEN len($1) = 0 THEN NULL WHEN "+length+" = "+limit+" THEN "+raise("an answer of exactly "+limit+" bytes is "+notYet, TypeVarchar)+
		" WHEN "+length+" > "+limit+" THEN "+over+" ELSE array_to_string($1, $2) END", rest...)
}
