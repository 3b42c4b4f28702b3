package api

import (
	"context"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/signing"
)

// PublicKeys knows with which keys the server has signed; *signing.Keys does.
type PublicKeys interface {
	// Public gives the keys that were valid at some time from the one instant to the other.
	Public(from, to time.Time) ([]signing.PublicKey, error)
}

// HandlePublicKeys brings ListPublicKeys.
func (s *Server) HandlePublicKeys(keys PublicKeys) {
	register(s, "ListPublicKeys", func(_ context.Context, c *Call, in *model.ListPublicKeysRequest) (*model.ListPublicKeysResponse, error) {
		if in.NextToken != nil { // reserved by AWS; one page has all the keys there are
			return nil, awserr.New("InvalidTokenException", "The next token is not valid: no answer of this operation has a following page.")
		}
		from, to := c.Time, c.Time // of a range without its ends, by AWS's page on the operation
		if in.StartTime != nil {
			from = in.StartTime.Time
		}
		if in.EndTime != nil {
			to = in.EndTime.Time
		}
		if from.After(to) {
			return nil, awserr.New("InvalidTimeRangeException", "The start time must not be after the end time.")
		}
		list, err := keys.Public(from, to)
		if err != nil {
			return nil, err
		}
		out := &model.ListPublicKeysResponse{PublicKeyList: []model.PublicKey{}}
		for _, k := range list {
			out.PublicKeyList = append(out.PublicKeyList, model.PublicKey{Value: &k.DER, Fingerprint: &k.Fingerprint, ValidityStartTime: model.At(k.From), ValidityEndTime: model.At(k.To)})
		}
		return out, nil
	})
}
