// Package differential holds statements of ours, what real Trino answered to each, and tests that hold Loch's own engine against these answers. It has
// no code but tests. New or changed statements are recorded with
//
//	LOCH_TRINO=1 go test ./differential -run TestTrino -record
//
// which starts Trino (or uses the one that TRINO_URL names); TestGenerated compares random statements, live.
package differential
