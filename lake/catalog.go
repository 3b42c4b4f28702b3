package lake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"github.com/lochlake/loch/meta"
	"github.com/lochlake/loch/proof"
)

// commitCatalog is the Iceberg catalog for one commit to one table: the metadata database holds the location of the current
// metadata file, and swaps it if nobody else did meanwhile. The durable log's applied sequence changes in the same transaction.
type commitCatalog struct {
	lake    *Lake
	storeID string
	applied int64
	base    *table.Table // as it was when the commit began; saves reading it again where nothing changed

	before  [][]byte              // leaves that go before those of the change
	removal *meta.Removal         // what the commit takes away; nil: nothing
	batches []proof.Batch         // that the commit brings
	sums    map[string]proof.Hash // of the data files that it adds, by location; one that is missing is read
}

// LoadTable reads the table as the database has it now.
func (c *commitCatalog) LoadTable(ctx context.Context, _ table.Identifier) (*table.Table, error) {
	row, err := c.lake.db.Table(ctx, c.storeID)
	if err != nil {
		return nil, fmt.Errorf("table of store %s: %w", c.storeID, err)
	}
	if c.base != nil && c.base.MetadataLocation() == row.Location {
		return c.base, nil
	}
	m, err := c.lake.readMetadata(ctx, row.Location)
	if err != nil {
		return nil, err
	}
	return c.table(m, row.Location), nil
}

func (c *commitCatalog) table(m table.Metadata, location string) *table.Table {
	return table.New(table.Identifier{c.storeID}, m, location, c.lake.tableFiles, c)
}

// CommitTable validates the requirements against the current metadata, writes the next metadata file, and swaps the location. Where the
// database had another location the error wraps table.ErrCommitFailed, and nothing has changed.
func (c *commitCatalog) CommitTable(ctx context.Context, ident table.Identifier, reqs []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	cur, err := c.LoadTable(ctx, ident)
	if err != nil {
		return nil, "", err
	}
	for _, r := range reqs {
		if err := r.Validate(cur.Metadata()); err != nil {
			return nil, "", fmt.Errorf("%w: %w", table.ErrCommitFailed, err)
		}
	}
	next, err := change(cur.Metadata(), cur.MetadataLocation(), updates)
	if err != nil {
		return nil, "", fmt.Errorf("update metadata of store %s: %w", c.storeID, err)
	}
	location := metadataLocation(next.Location(), MetadataVersion(cur.MetadataLocation())+1)
	sum, err := c.lake.writeMetadata(ctx, location, next)
	if err != nil {
		return nil, "", err
	}
	made, err := c.lake.snapshotOf(ctx, cur.Metadata(), next, location, sum, c.sums)
	if err != nil {
		return nil, "", fmt.Errorf("leaves of store %s: %w", c.storeID, err)
	}
	told, err := leaves(c.batches, made)
	if err != nil {
		return nil, "", fmt.Errorf("leaves of store %s: %w", c.storeID, err)
	}
	if err := c.swap(ctx, cur.MetadataLocation(), location, append(c.before, told...)...); err != nil {
		return nil, "", err
	}
	c.base = nil // the new table holds this catalog: through it every generation of the table would stay in memory
	return next, location, nil
}

func (c *commitCatalog) swap(ctx context.Context, old, location string, leaves ...[]byte) error {
	var err error
	if c.removal != nil {
		err = c.lake.db.RemoveFromTable(ctx, c.storeID, old, location, c.applied, *c.removal, leaves...)
	} else {
		err = c.lake.db.SwapTable(ctx, c.storeID, old, location, c.applied, leaves...)
	}
	if err == nil {
		return nil
	}
	if errors.Is(err, meta.ErrConflict) {
		return fmt.Errorf("%w: store %s: %w", table.ErrCommitFailed, c.storeID, err)
	}
	// The swap may have happened although its answer was lost (a cancelled context, a lost connection).
	if row, rerr := c.lake.db.Table(context.WithoutCancel(ctx), c.storeID); rerr == nil && row.Location == location {
		return nil
	}
	return fmt.Errorf("swap table of store %s: %w", c.storeID, err)
}

func (l *Lake) tableFiles(ctx context.Context) (iceio.IO, error) {
	return &tableFiles{ctx: ctx, store: l.objects, cache: l.cache, held: &l.held}, nil
}

func (l *Lake) readMetadata(ctx context.Context, location string) (table.Metadata, error) {
	f := tableFiles{ctx: ctx, store: l.objects, cache: l.cache, held: &l.held}
	b, err := f.read(location)
	if err != nil {
		return nil, fmt.Errorf("table metadata: %w", err)
	}
	m, err := table.ParseMetadataBytes(b)
	if err != nil {
		return nil, fmt.Errorf("table metadata %s: %w", location, err)
	}
	return m, nil
}

// writeMetadata writes a metadata file, and gives its hash.
func (l *Lake) writeMetadata(ctx context.Context, location string, m table.Metadata) (sum proof.Hash, err error) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(m); err != nil {
		return sum, fmt.Errorf("table metadata %s: %w", location, err)
	}
	key, ok := l.objects.Key(location)
	if !ok {
		return sum, fmt.Errorf("table metadata %s lies outside the object store", location)
	}
	f := tableFiles{ctx: ctx, store: l.objects, cache: l.cache, held: &l.held}
	if err := f.put(key, b.Bytes()); err != nil {
		return sum, fmt.Errorf("table metadata %s: %w", location, err)
	}
	return sha256.Sum256(b.Bytes()), nil
}

// metadataLocation names a metadata file as other Iceberg catalogs do: version, then a UUID, so that two writers never share a name.
func metadataLocation(table string, version int) string {
	return fmt.Sprintf("%s/metadata/%05d-%s.metadata.json", table, version, uuid.New())
}

// MetadataVersion is the version that the name of a metadata file begins with: one more than that of the file that it was made from.
func MetadataVersion(location string) int {
	v, _, _ := strings.Cut(path.Base(location), "-")
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0 // another writer's naming: only the UUID must differ
	}
	return n
}
