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
