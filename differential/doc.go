// Package differential holds statements of ours, what real Trino answered to each, and tests that hold Loch's own engine against these answers. It has
// no code but tests. New or changed statements are recorded with
//
//	LOCH_TRINO=1 go test ./differential -run TestTrino -record
//
// which starts Trino (or uses the one that TRINO_URL names); TestGenerated compares random statements, live.
//
// The statements of testdata/tables read a store of each schema, filled with the same events every time (events_test.go), through Loch's API. They are recorded
// from Loch on a Trino with two nodes over Loch's catalog and versitygw, which the test starts and which also compares generated statements over the stores:
//
//	LOCH_TRINO=1 go test ./differential -run TestTablesTrino -record
package differential
