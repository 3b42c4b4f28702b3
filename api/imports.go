package api

import (
	"context"
	"time"

	"github.com/lochlake/loch/api/model"
	"github.com/lochlake/loch/awserr"
	"github.com/lochlake/loch/imports"
	"github.com/lochlake/loch/meta"
)

// The API's page sizes where a request names none.
const (
	importsPage  = 100
	failuresPage = 100
)

// HandleImports brings StartImport, GetImport, ListImports, ListImportFailures and StopImport.
func (s *Server) HandleImports(service *imports.Service) {
	h := &importsAPI{s: s, imports: service}
	register(s, "StartImport", h.start)
	register(s, "GetImport", h.get)
	register(s, "ListImports", h.list)
	register(s, "ListImportFailures", h.failures)
	register(s, "StopImport", h.stop)
}

type importsAPI struct {
	s       *Server
	imports *imports.Service
}

// start begins an import, or goes on with one that ImportId names; then nothing else may be given (StartImport's documentation).
func (h *importsAPI) start(ctx context.Context, c *Call, in *model.StartImportRequest) (*model.StartImportResponse, error) {
	var imp meta.Import
	var err error
	switch {
	case in.ImportId != nil && (in.Destinations != nil || in.ImportSource != nil || in.StartEventTime != nil || in.EndEventTime != nil):
		return nil, awserr.New("InvalidParameterCombinationException", "ImportId goes on with an import; Destinations, ImportSource, StartEventTime and EndEventTime cannot be given with it.")
	case in.ImportId != nil:
		imp, err = h.imports.Restart(ctx, c.Scope, *in.ImportId)
	case len(in.Destinations) == 0 || in.ImportSource == nil:
		return nil, awserr.New("InvalidParameterException", "A new import needs Destinations and ImportSource.")
	default:
		src := in.ImportSource.S3
		imp, err = h.imports.Start(ctx, c.Scope, imports.Request{Store: in.Destinations[0], From: timeOf(in.StartEventTime), To: timeOf(in.EndEventTime),
			S3: imports.S3Source{S3LocationUri: *src.S3LocationUri, S3BucketRegion: *src.S3BucketRegion, S3BucketAccessRoleArn: *src.S3BucketAccessRoleArn}})
	}
	if err != nil {
		return nil, err
	}
	v, err := viewImport(imp)
	if err != nil {
		return nil, err
	}
	return &model.StartImportResponse{ImportId: v.ImportId, Destinations: v.Destinations, ImportSource: v.ImportSource, StartEventTime: v.StartEventTime,
		EndEventTime: v.EndEventTime, ImportStatus: v.ImportStatus, CreatedTimestamp: v.CreatedTimestamp, UpdatedTimestamp: v.UpdatedTimestamp}, nil
}

func timeOf(t *model.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.Time
}

// viewImport gives an import the API's shape.
func viewImport(i meta.Import) (*model.GetImportResponse, error) {
	src, err := imports.ParseSource(i.Source)
	if err != nil {
		return nil, err
	}
	events, files := i.Counts.Stored+i.Counts.Known, i.Files+i.FilesKnown
	v := &model.GetImportResponse{ImportId: &i.ID, Destinations: destinations(i), ImportStatus: &i.Status, StartEventTime: model.At(i.StartTime), EndEventTime: model.At(i.EndTime),
		CreatedTimestamp: model.At(i.Created), UpdatedTimestamp: model.At(i.Updated),
		ImportStatistics: &model.ImportStatistics{PrefixesFound: &i.PrefixesFound, PrefixesCompleted: &i.PrefixesDone, FilesCompleted: &files,
			EventsCompleted: &events, FailedEntries: &i.Failed}}
	if s3 := src.S3; s3 != nil {
		v.ImportSource = &model.ImportSource{S3: &model.S3ImportSource{S3LocationUri: &s3.S3LocationUri, S3BucketRegion: &s3.S3BucketRegion,
			S3BucketAccessRoleArn: &s3.S3BucketAccessRoleArn}}
	}
	return v, nil
}

func destinations(i meta.Import) []string {
	out := []string{}
	for _, id := range i.Stores {
		st := meta.EventDataStore{Scope: i.Scope, ID: id}
		out = append(out, st.ARN())
	}
	return out
}

func (h *importsAPI) get(ctx context.Context, c *Call, in *model.GetImportRequest) (*model.GetImportResponse, error) {
	imp, err := h.imports.Get(ctx, c.Scope, *in.ImportId)
	if err != nil {
		return nil, err
	}
	return viewImport(imp)
}

func (h *importsAPI) stop(ctx context.Context, c *Call, in *model.StopImportRequest) (*model.StopImportResponse, error) {
	imp, err := h.imports.Stop(ctx, c.Scope, *in.ImportId)
	if err != nil {
		return nil, err
	}
	v, err := viewImport(imp)
	if err != nil {
		return nil, err
	}
	return &model.StopImportResponse{ImportId: v.ImportId, ImportSource: v.ImportSource, Destinations: v.Destinations, ImportStatus: v.ImportStatus,
		CreatedTimestamp: v.CreatedTimestamp, UpdatedTimestamp: v.UpdatedTimestamp, StartEventTime: v.StartEventTime, EndEventTime: v.EndEventTime,
		ImportStatistics: v.ImportStatistics}, nil
}

func (h *importsAPI) list(ctx context.Context, c *Call, in *model.ListImportsRequest) (*model.ListImportsResponse, error) {
	parameters := struct{ Destination, Status *string }{in.Destination, in.ImportStatus}
	after, store := "", ""
	if in.NextToken != nil {
		if err := h.s.tokens.open(c, parameters, *in.NextToken, &after); err != nil {
			return nil, err
		}
	}
	if in.Destination != nil {
		st, err := h.imports.FindStore(ctx, c.Scope, *in.Destination)
		if err != nil {
			return nil, err
		}
		store = st.ID
	}
	status := ""
	if in.ImportStatus != nil {
		status = *in.ImportStatus
	}
	limit := importsPage
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	list, next, err := h.imports.List(ctx, c.Scope, store, status, after, limit)
	if err != nil {
		return nil, err
	}
	out := &model.ListImportsResponse{Imports: []model.ImportsListItem{}}
	for _, i := range list {
		out.Imports = append(out.Imports, model.ImportsListItem{ImportId: &i.ID, ImportStatus: &i.Status, Destinations: destinations(i),
			CreatedTimestamp: model.At(i.Created), UpdatedTimestamp: model.At(i.Updated)})
	}
	if next != "" {
		if out.NextToken, err = h.s.tokens.seal(c, parameters, next); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (h *importsAPI) failures(ctx context.Context, c *Call, in *model.ListImportFailuresRequest) (*model.ListImportFailuresResponse, error) {
	parameters := struct{ ImportId *string }{in.ImportId}
	after := int64(0)
	if in.NextToken != nil {
		if err := h.s.tokens.open(c, parameters, *in.NextToken, &after); err != nil {
			return nil, err
		}
	}
	limit := failuresPage
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	list, err := h.imports.Failures(ctx, c.Scope, *in.ImportId, after, limit+1)
	if err != nil {
		return nil, err
	}
	out := &model.ListImportFailuresResponse{Failures: []model.ImportFailureListItem{}}
	for _, f := range list[:min(len(list), limit)] {
		message := imports.FailureMessage(f)
		out.Failures = append(out.Failures, model.ImportFailureListItem{Location: &f.Location, Status: &f.Status, ErrorType: &f.Type, ErrorMessage: &message,
			LastUpdatedTime: model.At(f.Updated)})
	}
	if len(list) > limit {
		if out.NextToken, err = h.s.tokens.seal(c, parameters, list[limit-1].Seq); err != nil {
			return nil, err
		}
	}
	return out, nil
}
