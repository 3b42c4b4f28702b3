package main

import (
	"context"

	"github.com/lochlake/loch/client"
	"github.com/lochlake/loch/verify"
	running "github.com/lochlake/loch/verify/remote"
)

// reach makes the client of the running server at --endpoint, and asks it for the key to verify by where none is given.
func (v *verifyCmd) reach(ctx context.Context) (*client.Client, verify.Options, error) {
	c, err := v.client(ctx)
	if err != nil {
		return nil, verify.Options{}, err
	}
	if v.Key == "" {
		if v.Key, err = c.PublicProofKey(ctx); err != nil {
			return nil, verify.Options{}, err
		}
	}
	key, err := v.publicKey()
	return c, verify.Options{Key: key, Full: v.Full, Lake: c.Endpoint}, err
}

// server verifies the stores of the running server, as a stopped one's are verified.
func (v *verifyCmd) server(ctx context.Context) error {
	c, opt, err := v.reach(ctx)
	if err != nil {
		return err
	}
	return v.run(ctx, opt, func(ctx context.Context, opt verify.Options) (verify.Report, error) {
		return verify.RunServer(ctx, opt, running.Server{Client: c})
	})
}
