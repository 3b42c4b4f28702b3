// Package protocol is what a server and those who verify it over the network say to one another.
package protocol

import "github.com/lochlake/loch/meta"

// Stores answers which stores the caller may verify.
type Stores struct {
	Stores []Store `json:"stores"`
}

// Store is one of them: where it belongs, as calls for it are signed, and the name that people know it by. Of a store that is deleted its ID alone is known.
type Store struct {
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	Account string `json:"account,omitempty"`
	Region  string `json:"region,omitempty"`
}

// Snapshot is a store as it was at one moment. The objects that its table and its log name stay readable while the snapshot is renewed, but for three that later ones take the place of and
// which are here: the checkpoint, the table's metadata file, and partial tiles and bundles, which are the beginning of longer ones.
type Snapshot struct {
	ID         string        `json:"id"`
	Base       string        `json:"base"`               // what the locations begin with by which the table names its files
	Standing   meta.Standing `json:"standing"`           // all that the metadata says of the store
	Checkpoint []byte        `json:"checkpoint"`         // signed; empty: nothing is published yet
	Metadata   []byte        `json:"metadata,omitempty"` // the table's metadata file
}

// Objects is a page of what lies in the folders of a store.
type Objects struct {
	Objects []Object `json:"objects"`
	More    bool     `json:"more,omitempty"`
}

// Object is one of them.
type Object struct {
	Key  string `json:"key"` // tables/<ID>/… or logs/<ID>/…
	Size int64  `json:"size"`
}

// PageSize is the most objects of one answer.
const PageSize = 1000
