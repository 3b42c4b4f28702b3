package dialect

import (
	"errors"

	"github.com/lochlake/loch/ipaddr"
)

// addressLiteral is IPADDRESS '…', as the bytes that the engine has of it.
func (e *env) addressLiteral(x *typedLit) value {
	b, ok, err := ipaddr.Parse(x.value)
	if errors.Is(err, ipaddr.ErrNotYet) {
		e.unsupported(x.pos, "an IP address with a scope or in other digits")
	}
	if !ok {
		e.fail(x.pos, "Cannot cast value to IPADDRESS: %s", x.value)
	}
	return value{sql: "unhex('" + hexOf(b[:]) + "')", typ: Type{Kind: IPAddress}, easy: true}
}

// toAddress casts to ipaddress. Its order is that of its bytes, of which an IPv4 address has as many as an IPv6 address.
func (e *env) toAddress(v value, try bool) (string, bool) {
	t := Type{Kind: IPAddress}
	wrong := func(message string) string {
		if try {
			return "CAST(NULL AS BLOB)"
		}
		return raiseText(message, t)
	}
	read := func(call string) value { return value{sql: call, typ: t} }
	switch v.typ.Kind {
	case Varchar:
		return e.template("CASE WHEN octet_length($2) = 16 THEN $2 WHEN $1 IS NULL THEN NULL WHEN $2 IS NOT NULL THEN "+
			raise("reading an IP address with a scope or in other digits is "+notYet, t)+" ELSE "+wrong("'Cannot cast value to IPADDRESS: ' || $1")+" END",
			v, read("loch_ip_parse("+v.sql+")")), true
	case Varbinary:
		return e.template("CASE WHEN $1 IS NULL OR $2 IS NOT NULL THEN $2 ELSE "+wrong("'Invalid IP address binary length: ' || octet_length($1)")+" END",
			v, read("loch_ip_from_bytes("+v.sql+")")), true
	}
	return "", false
}

func init() {
	defineBy("contains(varchar, ipaddress) boolean", func(v *invocation) value {
		if s, ok := v.args[0].text(); ok {
			if _, err := ipaddr.ParseNetwork(s); errors.Is(err, ipaddr.ErrNotYet) {
				v.unsupported(v.at(0), "an IP address with a scope or in other digits")
			}
		}
		return v.out(fallible("loch_ip_contains($1, $2)", TypeBoolean))
	})
}
