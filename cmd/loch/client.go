package main

import (
	"context"

	"github.com/lochlake/loch/client"
)

// remote is how a command reaches a server: the usual AWS environment, profile and credentials files, and where the server is.
type remote struct {
	Endpoint string `help:"The server's URL. Default: ${default}." default:"http://127.0.0.1:4510" env:"LOCH_ENDPOINT,AWS_ENDPOINT_URL_CLOUDTRAIL,AWS_ENDPOINT_URL" placeholder:"URL"`
	Profile  string `help:"Profile of the AWS configuration and credentials files." placeholder:"NAME"`
	Region   string `help:"Region to sign for. Default: the AWS configuration's, else us-east-1." placeholder:"NAME"`
}

func (r *remote) client(ctx context.Context) (*client.Client, error) {
	return client.New(ctx, client.Options{Endpoint: r.Endpoint, Profile: r.Profile, Region: r.Region})
}
