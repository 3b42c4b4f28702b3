package registry

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/meta"
)

// The states of federation, as the API names them. It changes at once, so that ENABLING and DISABLING never show.
const (
	FederationEnabled  = "ENABLED"
	FederationDisabled = "DISABLED"
)

// roleARN is the ARN of an IAM role, with a path or without ("IAM identifiers" in the IAM user guide); the group is its account.
var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}):role/(?:[!-~]+/)?[\w+=,.@-]{1,64}$`)

// EnableFederation shows a store's table in the Iceberg catalog. The role must be one of the store's account; it is kept and answered, and decides
// nothing here: who may read the catalog says the key that its token was got with. The errors are those of EnableFederation.
func (r *Registry) EnableFederation(ctx context.Context, sc meta.Scope, ref, role string) (meta.EventDataStore, error) {
	return r.change(ctx, sc, ref, func(s *meta.EventDataStore) error {
		if err := active(s); err != nil {
			return err
		}
		m := roleARN.FindStringSubmatch(role)
		if m == nil {
			return awserr.New(badParameter, "FederationRoleArn must be the ARN of an IAM role, for example arn:aws:iam::%s:role/federation; it is %q.", s.Account, role)
		}
		if m[1] != s.Account {
			return awserr.New(badParameter, "FederationRoleArn must name a role of the event data store's account %s, not of %s.", s.Account, m[1])
		}
		if s.FederationStatus == FederationEnabled {
			return awserr.New("EventDataStoreFederationEnabledException", "Lake query federation is enabled for the event data store already. To give it another role, run DisableFederation first.")
		}
		s.FederationStatus, s.FederationRoleArn = FederationEnabled, role
		return nil
	})
}

// DisableFederation hides a store's table from the Iceberg catalog; that it is hidden already is no error. The errors are those of DisableFederation.
func (r *Registry) DisableFederation(ctx context.Context, sc meta.Scope, ref string) (meta.EventDataStore, error) {
	if s, err := r.find(sc, ref); err != nil {
		return meta.EventDataStore{}, err
	} else if s.FederationStatus == FederationDisabled {
		return s.EventDataStore, active(&s.EventDataStore)
	}
	return r.change(ctx, sc, ref, func(s *meta.EventDataStore) error {
		if err := active(s); err != nil {
			return err
		}
		s.FederationStatus, s.FederationRoleArn = FederationDisabled, ""
		return nil
	})
}

// Federated lists the stores of an account, of every region, that the Iceberg catalog shows, in the order of their IDs.
func (r *Registry) Federated(account string) []meta.EventDataStore {
	var out []meta.EventDataStore
	for _, s := range r.current.Load().stores {
		if s.Account == account && !s.Internal && s.FederationStatus == FederationEnabled && s.Status != PendingDeletion {
			out = append(out, s.EventDataStore)
		}
	}
	slices.SortFunc(out, func(a, b meta.EventDataStore) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Readable lists the stores of every account and region that queries may read, in the order of their IDs.
func (r *Registry) Readable() []meta.EventDataStore {
	var out []meta.EventDataStore
	for _, s := range r.current.Load().stores {
		if !s.Internal && s.Status != PendingDeletion {
			out = append(out, s.EventDataStore)
		}
	}
	slices.SortFunc(out, func(a, b meta.EventDataStore) int { return strings.Compare(a.ID, b.ID) })
	return out
}
