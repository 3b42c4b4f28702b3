package dialect

func init() {
	for _, part := range []string{"protocol", "host", "path", "query", "fragment"} {
		define("url_extract_"+part+"(varchar) =1", "loch_url_extract_"+part+"($1)")
	}
	define("url_extract_port(varchar) bigint", "loch_url_extract_port($1)")
	define("url_extract_parameter(varchar, varchar) =1", fallible("loch_url_extract_parameter($1, $2)", TypeVarchar))
	define("url_decode(varchar) =1", fallible("loch_url_decode($1)", TypeVarchar))
	defineBy("url_encode(varchar) varchar", func(v *invocation) value {
		if n := v.args[0].typ.Length; n != Unbounded {
			v.typ = varcharWithin(n * 12)
		}
		return v.out("loch_url_encode($1)")
	})
}
