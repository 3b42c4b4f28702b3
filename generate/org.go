package generate

import (
	"fmt"
	"math/rand/v2"
)

// org is the invented organisation. Accounts and addresses are of the ranges that AWS and the RFCs set aside for documentation.
type org struct {
	accounts []*account
	people   []person
}

type account struct {
	id, name  string
	weight    float64
	regions   []string
	regionSum []float64
	buckets   []string
	instances []string
	functions []string
	tables    []string
	queues    []string
	secrets   []string
	keys      []string
	groups    []string
	images    []string
	subnets   []string
	endpoint  string
}

// person signs in through the organisation's identity provider and works in several accounts.
type person struct {
	name  string
	role  string // permission set
	ip    string
	agent string
}

// actor is who acts: a person or a role in one account.
type actor struct {
	account   *account
	kind      actorKind
	name      string // session or user name
	role      string
	principal string
	accessKey string
	created   string // of the session, filled when written
	ip        string
	agent     string
	weight    float64
	actions   []*action
	sums      []float64
}

type actorKind uint8

const (
	personSession actorKind = iota
	workload
	service
	iamUser
)

func (a *actor) pick(r *rand.Rand) *action { return a.actions[pick(a.sums, r.Float64())] }

func (a *account) region(r *rand.Rand) string { return a.regions[pick(a.regionSum, r.Float64())] }

// The accounts of the organisation; the first is its management account and the one that the demonstration's server runs as.
const (
	ManagementAccount = "111122223333"
	SecurityAccount   = "222233334444"
	ProductionAccount = "444455556666"
	StagingAccount    = "555566667777"
	SandboxAccount    = "777788889999"
)

const (
	hexDigits = "0123456789abcdef"
	idDigits  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

func random(r *rand.Rand, digits string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = digits[r.IntN(len(digits))]
	}
	return string(b)
}

func newOrg(r *rand.Rand) *org {
	o := &org{}
	for _, a := range []struct {
		id, name string
		weight   float64
	}{
		{ManagementAccount, "management", 0.08}, {SecurityAccount, "security", 0.12}, {ProductionAccount, "production", 0.5},
		{StagingAccount, "staging", 0.2}, {SandboxAccount, "sandbox", 0.1},
	} {
		o.accounts = append(o.accounts, newAccount(r, a.id, a.name, a.weight))
	}
	agents := []string{
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
		"aws-cli/2.31.4 md/awscrt#0.27.6 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.7 md/pyimpl#CPython cfg/retry-mode#standard",
		"Boto3/1.40.61 md/Botocore#1.40.61 ua/2.1 os/macos#24.6.0 md/arch#arm64 lang/python#3.12.11",
		"APN/1.0 HashiCorp/1.0 Terraform/1.13.4 (+https://www.terraform.io) terraform-provider-aws/6.18.0",
	}
	for i, n := range []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "niaj", "olivia", "peggy", "rupert", "sybil", "trent", "victor", "walter", "wendy"} {
		role := [...]string{"Developer", "Developer", "ReadOnly", "DatabaseAdmin", "AdministratorAccess"}[i%5]
		if n == "trent" || n == "wendy" {
			role = "SecurityAudit"
		}
		o.people = append(o.people, person{name: n + "@example.com", role: role, ip: fmt.Sprintf("198.51.100.%d", 10+i*3), agent: agents[i%len(agents)]})
	}
	return o
}

func newAccount(r *rand.Rand, id, name string, weight float64) *account {
	a := &account{id: id, name: name, weight: weight, regions: []string{"us-east-1", "eu-west-1", "us-west-2", "ap-southeast-2"}}
	sum := 0.0
	for _, w := range []float64{0.62, 0.22, 0.12, 0.04} {
		sum += w
		a.regionSum = append(a.regionSum, sum)
	}
	a.endpoint = "vpce-" + random(r, hexDigits, 17)
	for i := range 12 {
		a.buckets = append(a.buckets, fmt.Sprintf("example-%s-%s", name, [...]string{"logs", "artifacts", "customer-exports", "backups", "web", "data-lake", "config", "media", "reports", "terraform-state", "billing", "tmp"}[i]))
	}
	for range 60 {
		a.instances = append(a.instances, "i-"+random(r, hexDigits, 17))
	}
	for _, n := range []string{"checkout", "invoice", "thumbnail", "notify", "ingest", "authorizer", "exporter", "cleanup", "webhook", "search-index", "reconcile", "billing-sync"} {
		a.functions = append(a.functions, n+"-"+name)
	}
	a.tables = []string{"orders", "customers", "sessions", "inventory", "payments", "feature-flags"}
	a.queues = []string{"orders", "mail", "exports", "dead-letter"}
	a.secrets = []string{"prod/db/orders", "prod/stripe", "prod/db/customers", "ci/deploy", "app/jwt"}
	for range 6 {
		a.keys = append(a.keys, uuid(r))
	}
	for _, f := range a.functions {
		a.groups = append(a.groups, "/aws/lambda/"+f)
	}
	for range 8 {
		a.images = append(a.images, "ami-"+random(r, hexDigits, 17))
		a.subnets = append(a.subnets, "subnet-"+random(r, hexDigits, 17))
	}
	return a
}

// actors lists everybody who acts, with how often.
func (o *org) actors() []actor {
	r := rand.New(rand.NewPCG(7, uint64(len(o.people))))
	var all []actor
	add := func(a actor, acts []action) {
		sum := 0.0
		for i := range acts {
			sum += acts[i].weight
			a.actions = append(a.actions, &acts[i])
			a.sums = append(a.sums, sum)
		}
		a.principal = "AROA" + random(r, idDigits, 17)
		a.accessKey = "ASIA" + random(r, idDigits, 16)
		if a.kind == iamUser {
			a.principal, a.accessKey = "AIDA"+random(r, idDigits, 17), "AKIA"+random(r, idDigits, 16)
		}
		all = append(all, a)
	}
	for _, acc := range o.accounts {
		for _, p := range o.people {
			acts := developerActions
			switch p.role {
			case "AdministratorAccess":
				acts = adminActions
			case "SecurityAudit", "ReadOnly":
				acts = auditActions
			}
			add(actor{account: acc, kind: personSession, name: p.name, role: "AWSReservedSSO_" + p.role + "_" + random(r, hexDigits, 16), ip: p.ip, agent: p.agent, weight: acc.weight * 0.7 / float64(len(o.people))}, acts)
		}
		for i, f := range acc.functions {
			add(actor{account: acc, kind: workload, name: f, role: f + "-role", ip: fmt.Sprintf("10.20.%d.%d", i, 5+i*7), agent: "aws-sdk-go-v2/1.39.4 ua/2.1 os/linux lang/go#1.25.3 md/GOOS#linux md/GOARCH#arm64 api/dynamodb#1.52.2 exec-env/AWS_Lambda_provided.al2023", weight: acc.weight * 1.1 / float64(len(acc.functions))}, workloadActions)
		}
		for i, id := range acc.instances[:20] {
			add(actor{account: acc, kind: workload, name: id, role: "app-server", ip: fmt.Sprintf("10.30.%d.%d", i/8, 20+i), agent: "Boto3/1.40.61 md/Botocore#1.40.61 ua/2.1 os/linux#6.1.155 md/arch#x86_64 lang/python#3.11.14", weight: acc.weight * 0.6 / 20}, instanceActions)
		}
		add(actor{account: acc, kind: workload, name: "GitHubActions", role: "ci-deploy", ip: "192.0.2.44", agent: "aws-cli/2.31.4 md/awscrt#0.27.6 ua/2.1 os/linux#6.11.0 md/arch#x86_64 lang/python#3.13.7 exec-env/GitHubActions", weight: acc.weight * 0.35}, deployActions)
		for _, s := range []string{"ec2.amazonaws.com", "lambda.amazonaws.com", "autoscaling.amazonaws.com", "config.amazonaws.com", "cloudtrail.amazonaws.com"} {
			add(actor{account: acc, kind: service, name: s, ip: s, agent: s, weight: acc.weight * 0.22}, serviceActions)
		}
	}
	add(actor{account: o.accounts[2], kind: iamUser, name: LeakedUser, ip: "192.0.2.80", agent: "aws-cli/1.42.40 md/Botocore#1.40.40 ua/2.1 os/linux#5.15.0 md/arch#x86_64 lang/python#3.9.24", weight: 0.02}, deployActions)
	return all
}

func uuid(r *rand.Rand) string {
	b := appendUUID(nil, r.Uint64(), r.Uint64())
	return string(b)
}
