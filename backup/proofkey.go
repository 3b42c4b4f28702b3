package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/lochlake/loch/access"
	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/proof"
)

// AddressFile is the file of a data folder in which a running server writes its URL.
const AddressFile = "address"

// proofKeyValue is the key of meta.Value under which the public half of the key stands that signs the transparency logs.
const proofKeyValue = "proof.key"

// OpenProofKey reads the key that signs the transparency logs, an Ed25519 key's seed, from the folder of the secrets. The first start makes it. Later ones refuse another one, or
// none: the logs would take no leaves from then on.
func OpenProofKey(ctx context.Context, db meta.DB, keyDir string) (proof.Key, error) {
	known, err := db.Value(ctx, proofKeyValue)
	if err != nil && !errors.Is(err, meta.ErrNotFound) {
		return proof.Key{}, err
	}
	path := filepath.Join(keyDir, proofKeyFile)
	if known != "" {
		if _, err := access.ReadSecret(keyDir, proofKeyFile); errors.Is(err, fs.ErrNotExist) {
			return proof.Key{}, fmt.Errorf("%s is missing: the transparency logs are signed by %s and take no leaves with another key. Put the file back from where your secrets are kept", path, known)
		}
	}
	seed, err := access.OpenSecret(keyDir, proofKeyFile, proof.SeedSize)
	if err != nil {
		return proof.Key{}, err
	}
	key := proof.NewKey(seed)
	switch public := key.Public().String(); known {
	case public:
		return key, nil
	case "":
		return key, db.SetValue(ctx, proofKeyValue, public)
	default:
		return proof.Key{}, fmt.Errorf("%s is the key %s, and the transparency logs are signed by %s: they take no leaves with another. Put that one back", path, public, known)
	}
}
