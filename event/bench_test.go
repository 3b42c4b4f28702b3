package event_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lochlake/loch/event"
)

// sample is an event as CloudTrail writes them.
const sample = `{"eventVersion":"1.08","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLEEXAMPLEEXA:deploy","arn":"arn:aws:sts::111122223333:assumed-role/Deploy/deploy","accountId":"111122223333","accessKeyId":"ASIAEXAMPLEEXAMPLE12","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLEEXAMPLEEXA","arn":"arn:aws:iam::111122223333:role/Deploy","accountId":"111122223333","userName":"Deploy"},"webIdFederationData":{},"attributes":{"creationDate":"2023-07-10T11:42:31Z","mfaAuthenticated":"false"}}},"eventTime":"2023-07-10T12:32:49Z","eventSource":"s3.amazonaws.com","eventName":"PutBucketPolicy","awsRegion":"us-east-1","sourceIPAddress":"203.0.113.7","userAgent":"[aws-cli/2.13 Python/3.11 \"quoted\"]","requestParameters":{"bucketName":"logs","bucketPolicy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::logs/*"}]},"Host":"logs.s3.amazonaws.com","policy":""},"responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","bytesTransferredIn":412,"AuthenticationMethod":"AuthHeader","x":null},"requestID":"55DA0D6FFA5A47FB","eventID":"6b54e0ad-c23c-4850-b896-7533a3558526","readOnly":false,"resources":[{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::logs"},{"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::logs/"}],"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.2","cipherSuite":"ECDHE-RSA-AES128-GCM-SHA256","clientProvidedHostHeader":"logs.s3.amazonaws.com"}}`

// corpus gives the texts of real events, or none where the corpus is not there.
func corpus(tb testing.TB) (texts [][]byte) {
	root := filepath.Join("..", "..", "shared", "corpus", "cloudtrail")
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".json.gz") {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			return err
		}
		b, err := io.ReadAll(z)
		if err != nil {
			return err
		}
		var file struct{ Records []json.RawMessage }
		if err := json.Unmarshal(b, &file); err != nil {
			return err
		}
		for _, r := range file.Records {
			texts = append(texts, bytes.Clone(r))
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		tb.Fatal(err)
	}
	return texts
}

func BenchmarkDecode(b *testing.B) {
	texts := corpus(b)
	if len(texts) == 0 {
		b.Log("the corpus is not here: decoding the built-in sample")
		texts = [][]byte{[]byte(sample)}
	}
	size := 0
	for _, t := range texts {
		size += len(t)
	}
	b.SetBytes(int64(size / len(texts)))
	b.ReportAllocs()
	d := event.NewDecoder()
	var r event.Record
	for i := 0; b.Loop(); i++ {
		if _, err := d.DecodeAt(&r, texts[i%len(texts)], 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(r.Fields)), "fields")
}
