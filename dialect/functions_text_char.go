package dialect

import "strings"

// A char(n) stands in the engine with all its blanks, so that values compare, sort and print as they are. Functions that Trino has for char besides
// those for varchar are here; what it coerces to char is no argument of the others.
func init() {
	defineBy("length(char) bigint", func(v *invocation) value {
		return v.out("CASE WHEN $1 IS NOT NULL THEN CAST(" + itoa(v.args[0].typ.Length) + " AS BIGINT) END")
	})
	for _, name := range []string{"lower", "upper", "reverse"} {
		defineBy(name+"(char) =1", func(v *invocation) value { return v.asVarchar(name, 1) })
	}
	for _, name := range []string{"trim", "ltrim", "rtrim"} {
		for _, rest := range []string{"", ", varchar"} {
			defineBy(name+"(char"+rest+") varchar", func(v *invocation) value {
				v.typ = VarcharOf(v.args[0].typ.Length)
				v.args[0].sql = "rtrim(" + v.args[0].sql + ", ' ')"
				return v.asVarchar(name, len(v.args))
			})
		}
	}
	for _, name := range []string{"substr", "substring"} {
		for _, rest := range []string{"", ", bigint"} {
			defineBy(name+"(char, bigint"+rest+") varchar", func(v *invocation) value {
				v.typ = VarcharOf(v.args[0].typ.Length)
				return v.asVarchar(name, len(v.args))
			})
		}
	}
	define("to_utf8(char) varbinary", "encode($1)")
}

// asVarchar writes the function for varchar of so many arguments.
func (v *invocation) asVarchar(name string, args int) value {
	for _, s := range scalarFunctions[name] {
		if len(s.params) == args && s.params[0].kind == Varchar && strings.Contains(s.text, "$1") {
			out := v.out(s.text)
			return out
		}
	}
	panic("dialect: no function " + name + " for varchar")
}
