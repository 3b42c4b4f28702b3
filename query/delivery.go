package query

import (
	"context"
	"errors"
	"fmt"
)

// What has become of the delivery of a query's results, as the API names it.
const (
	DeliveryPending       = "PENDING" // the query runs, or its results are on their way
	DeliverySuccess       = "SUCCESS"
	DeliveryFailed        = "FAILED"
	DeliveryFailedSigning = "FAILED_SIGNING_FILE" // the results are there, the sign file is not
	DeliveryNotFound      = "RESOURCE_NOT_FOUND"  // the bucket is gone
	DeliveryDenied        = "ACCESS_DENIED"
	DeliveryDeniedSigning = "ACCESS_DENIED_SIGNING_FILE"
	DeliveryCancelled     = "CANCELLED" // with its query
)

// deliveryAfter is what becomes of a delivery when its query ends as status: only the results of a finished one are delivered.
func deliveryAfter(status, delivery string) string {
	switch {
	case delivery == "" || status == Finished:
		return delivery
	case status == Cancelled:
		return DeliveryCancelled
	}
	return DeliveryFailed
}

// Read gives the whole answer of a finished query in order, in constant memory: the columns' names, then each row's texts, nil for NULL, which are good
// until row returns. It ends at an error of either function, or of the context.
func (s *Service) Read(ctx context.Context, id string, columns func(names []string) error, row func(texts [][]byte) error) (err error) {
	r, err := openResults(s.resultPath(id))
	if err != nil {
		return fmt.Errorf("results of query %s: %w", id, err)
	}
	defer func() { err = errors.Join(err, r.close()) }()
	names := make([]string, len(r.columns))
	for i, c := range r.columns {
		names[i] = c.Name
	}
	if err := columns(names); err != nil {
		return err
	}
	texts := make([][]byte, len(names))
	for from := int64(0); from < r.rows; {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		rows, next, err := r.page(from, MaxPage, pageBytes)
		if err != nil {
			return fmt.Errorf("results of query %s: %w", id, err)
		}
		for _, vals := range rows {
			for i, v := range vals {
				texts[i] = v.Text
				if v.Null {
					texts[i] = nil
				}
			}
			if err := row(texts); err != nil {
				return err
			}
		}
		from = next
	}
	return nil
}
