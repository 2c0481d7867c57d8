// What a user of Google's clients for Go does, against the emulator that the environment names.
package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"cloud.google.com/go/bigquery/storage/managedwriter/adapt"
	"cloud.google.com/go/civil"
	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

var (
	ctx     = context.Background()
	project = os.Getenv("GOOGLE_CLOUD_PROJECT")
	client  *bigquery.Client
	dataset *bigquery.Dataset
)

type Home struct {
	City string
	Zips []int64
}

type Person struct {
	Name  string
	Born  bigquery.NullDate
	Tags  []string
	Home  *Home `bigquery:",nullable"`
	Worth *big.Rat
	Seen  time.Time
}

// The Storage API's port speaks plain HTTP/2.
func storageAPI() []option.ClientOption {
	return []option.ClientOption{
		option.WithEndpoint(strings.TrimPrefix(os.Getenv("grpc_proxy"), "http://")), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())), option.WithGRPCDialOption(grpc.WithNoProxy())}
}

func TestMain(m *testing.M) {
	var err error
	if client, err = bigquery.NewClient(ctx, project, option.WithEndpoint(os.Getenv("BIGQUERY_EMULATOR_HOST")+"/bigquery/v2/"), option.WithoutAuthentication()); err != nil {
		panic(err)
	}
	dataset = client.Dataset(fmt.Sprintf("go_%d", os.Getpid()))
	if err = dataset.Create(ctx, &bigquery.DatasetMetadata{Location: "US", Labels: map[string]string{"made": "here"}}); err != nil {
		panic(err)
	}
	code := m.Run()
	dataset.DeleteWithContents(ctx)
	os.Exit(code)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func rows(t *testing.T, sql string, parameters ...bigquery.QueryParameter) (all [][]bigquery.Value) {
	t.Helper()
	query := client.Query(sql)
	query.Parameters, query.DefaultDatasetID = parameters, dataset.DatasetID
	found, err := query.Read(ctx)
	check(t, err)
	for {
		var row []bigquery.Value
		if err := found.Next(&row); err == iterator.Done {
			return
		} else {
			check(t, err)
		}
		all = append(all, row)
	}
}

func fails(t *testing.T, err error, code int, reason string) {
	t.Helper()
	var api *googleapi.Error
	if !errors.As(err, &api) || api.Code != code || api.Errors[0].Reason != reason {
		t.Fatalf("got %v, want %d %s", err, code, reason)
	}
}

func finish(t *testing.T, job *bigquery.Job, err error) *bigquery.JobStatus {
	t.Helper()
	check(t, err)
	status, err := job.Wait(ctx)
	check(t, err)
	check(t, status.Err())
	return status
}

func TestTables(t *testing.T) {
	schema, err := bigquery.InferSchema(Person{})
	check(t, err)
	table := dataset.Table("people")
	check(t, table.Create(ctx, &bigquery.TableMetadata{Schema: schema, Clustering: &bigquery.Clustering{Fields: []string{"Name"}},
		TimePartitioning: &bigquery.TimePartitioning{Type: bigquery.MonthPartitioningType, Field: "Seen"}}))
	ada := Person{"Ada", bigquery.NullDate{Date: civil.Date{Year: 1815, Month: 12, Day: 10}, Valid: true}, []string{"a", "b"},
		&Home{"London", []int64{1, 2}}, big.NewRat(5, 4), time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)}
	check(t, table.Inserter().Put(ctx, []*Person{&ada, {Name: "Bob", Worth: big.NewRat(0, 1)}}))
	found := table.Read(ctx)
	for found.PageInfo().MaxSize = 1; ; {
		var person Person
		if err := found.Next(&person); err == iterator.Done {
			break
		} else {
			check(t, err)
		}
		if person.Name == "Ada" {
			same(t, person.Worth.Cmp(ada.Worth), 0)
			person.Worth = ada.Worth
			same(t, person, ada)
		}
	}
	var several bigquery.PutMultiError
	err = table.Inserter().Put(ctx, []*bigquery.ValuesSaver{{Schema: bigquery.Schema{{Name: "nope", Type: "STRING"}}, Row: []bigquery.Value{"x"}}})
	if !errors.As(err, &several) || len(several) != 1 {
		t.Fatal(err)
	}
	metadata, err := table.Metadata(ctx)
	check(t, err)
	metadata, err = table.Update(ctx, bigquery.TableMetadataToUpdate{Description: "People"}, metadata.ETag)
	check(t, err)
	same(t, metadata.Description, "People")
	_, err = table.Update(ctx, bigquery.TableMetadataToUpdate{Description: "x"}, "another")
	fails(t, err, http.StatusPreconditionFailed, "conditionNotMet")
	fails(t, table.Create(ctx, nil), http.StatusConflict, "duplicate")
	_, err = dataset.Table("nope").Metadata(ctx)
	fails(t, err, http.StatusNotFound, "notFound")
}

func TestParameters(t *testing.T) {
	moment := time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)
	for name, value := range map[string]any{
		"int": int64(1), "float": 0.5, "bool": true, "string": "it's", "bytes": []byte("\x00z"), "date": civil.DateOf(moment), "time": civil.TimeOf(moment),
		"datetime": civil.DateTimeOf(moment), "timestamp": moment, "array": []int64{1, 2}} {
		got := rows(t, "SELECT @p", bigquery.QueryParameter{Name: "p", Value: value})[0][0]
		if list, ok := value.([]int64); ok {
			value = []bigquery.Value{list[0], list[1]}
		}
		if at, ok := value.(civil.Time); ok {
			value = civil.Time{Hour: at.Hour, Minute: at.Minute, Second: at.Second, Nanosecond: at.Nanosecond}
		}
		if !reflect.DeepEqual(got, value) {
			t.Errorf("%s: got %v, want %v", name, got, value)
		}
	}
	same(t, rows(t, "SELECT @p.City, @p.Zips", bigquery.QueryParameter{Name: "p", Value: Home{"Rome", []int64{7}}}),
		[][]bigquery.Value{{"Rome", []bigquery.Value{int64(7)}}})
	same(t, rows(t, "SELECT ? + ?", bigquery.QueryParameter{Value: 1}, bigquery.QueryParameter{Value: 2}), [][]bigquery.Value{{int64(3)}})
	same(t, rows(t, "SELECT @p IS NULL", bigquery.QueryParameter{Name: "p", Value: bigquery.NullInt64{}}), [][]bigquery.Value{{true}})
}

func TestStatements(t *testing.T) {
	query := client.Query("CREATE TABLE stock AS SELECT 'a' AS sku, 1 AS n UNION ALL SELECT 'b', 2")
	query.DefaultDatasetID, query.Labels = dataset.DatasetID, map[string]string{"by": "go"}
	job, err := query.Run(ctx)
	finish(t, job, err)
	job, err = client.Query(fmt.Sprintf("UPDATE %s.stock SET n = n + 1 WHERE TRUE", dataset.DatasetID)).Run(ctx)
	same(t, finish(t, job, err).Statistics.Details.(*bigquery.QueryStatistics).NumDMLAffectedRows, int64(2))
	check(t, dataset.Table("view").Create(ctx, &bigquery.TableMetadata{ViewQuery: fmt.Sprintf("SELECT sku FROM %s.stock", dataset.DatasetID)}))
	same(t, rows(t, "SELECT COUNT(*) FROM view"), [][]bigquery.Value{{int64(2)}})
	routine := dataset.Routine("plus")
	check(t, routine.Create(ctx, &bigquery.RoutineMetadata{Type: "SCALAR_FUNCTION", Language: "SQL", Body: "x + 1",
		Arguments: []*bigquery.RoutineArgument{{Name: "x", DataType: &bigquery.StandardSQLDataType{TypeKind: "INT64"}}}}))
	same(t, rows(t, "SELECT plus(1)"), [][]bigquery.Value{{int64(2)}})
	same(t, rows(t, "DECLARE x INT64 DEFAULT 1; SET x = x + 1; SELECT x"), [][]bigquery.Value{{int64(2)}})
	_, err = client.Query("SELECT nope").Read(ctx)
	fails(t, err, http.StatusBadRequest, "invalidQuery")
	query = client.Query("SELECT 1")
	query.DryRun = true
	job, err = query.Run(ctx)
	check(t, err)
	same(t, job.LastStatus().State, bigquery.Done)
	jobs := client.Jobs(ctx)
	_, err = jobs.Next()
	check(t, err)
}

func TestFiles(t *testing.T) {
	source := bigquery.NewReaderSource(strings.NewReader("id,name\n1,one\n2,two\n"))
	source.AutoDetect = true
	job, err := dataset.Table("loaded").LoaderFrom(source).Run(ctx)
	same(t, finish(t, job, err).Statistics.Details.(*bigquery.LoadStatistics).OutputRows, int64(2))
	job, err = dataset.Table("copied").CopierFrom(dataset.Table("loaded")).Run(ctx)
	finish(t, job, err)
	files, err := storage.NewClient(ctx, option.WithoutAuthentication())
	check(t, err)
	bucket := files.Bucket(dataset.DatasetID)
	check(t, bucket.Create(ctx, project, nil))
	job, err = dataset.Table("copied").ExtractorTo(bigquery.NewGCSReference("gs://" + dataset.DatasetID + "/out.csv")).Run(ctx)
	finish(t, job, err)
	reader, err := bucket.Object("out.csv").NewReader(ctx)
	check(t, err)
	text, err := io.ReadAll(reader)
	check(t, err)
	same(t, len(strings.Fields(string(text))), 3)
	writer := bucket.Object("in.json").NewWriter(ctx)
	check(t, json.NewEncoder(writer).Encode(map[string]any{"id": 3, "name": "three"}))
	check(t, writer.Close())
	reference := bigquery.NewGCSReference("gs://" + dataset.DatasetID + "/in*")
	reference.SourceFormat = bigquery.JSON
	job, err = dataset.Table("copied").LoaderFrom(reference).Run(ctx)
	finish(t, job, err)
	same(t, rows(t, "SELECT COUNT(*) FROM copied"), [][]bigquery.Value{{int64(3)}})
	objects, count := bucket.Objects(ctx, nil), 0
	for attributes, err := objects.Next(); err != iterator.Done; attributes, err = objects.Next() {
		check(t, err)
		check(t, bucket.Object(attributes.Name).Delete(ctx))
		count++
	}
	same(t, count, 2)
	check(t, bucket.Delete(ctx))
	_, err = bucket.Object("nope").Attrs(ctx)
	if err == nil {
		t.Fatal("an object in no bucket")
	}
}

func TestReadingByTheStorageAPI(t *testing.T) {
	check(t, client.EnableStorageReadClient(ctx, storageAPI()...))
	found, err := client.Query("SELECT n, CONCAT('x', CAST(n AS STRING)) AS s FROM UNNEST(GENERATE_ARRAY(1, 200000)) AS n").Read(ctx)
	check(t, err)
	if !found.IsAccelerated() {
		t.Fatal("rows come by REST")
	}
	count, sum := 0, int64(0)
	for {
		var row struct {
			N int64
			S string
		}
		if err := found.Next(&row); err == iterator.Done {
			break
		} else {
			check(t, err)
		}
		count, sum = count+1, sum+row.N
	}
	same(t, []int64{int64(count), sum}, []int64{200000, 20000100000})
}

func TestWritingByTheStorageAPI(t *testing.T) {
	table := dataset.Table("written")
	schema := bigquery.Schema{{Name: "name", Type: bigquery.StringFieldType}, {Name: "n", Type: bigquery.IntegerFieldType}}
	check(t, table.Create(ctx, &bigquery.TableMetadata{Schema: schema}))
	tableSchema, err := adapt.BQSchemaToStorageTableSchema(schema)
	check(t, err)
	described, err := adapt.StorageSchemaToProto2Descriptor(tableSchema, "root")
	check(t, err)
	descriptor := described.(protoreflect.MessageDescriptor)
	normal, err := adapt.NormalizeDescriptor(descriptor)
	check(t, err)
	message := dynamicpb.NewMessage(descriptor)
	check(t, protojson.Unmarshal([]byte(`{"name": "x", "n": 7}`), message))
	row, err := proto.Marshal(message)
	check(t, err)
	writer, err := managedwriter.NewClient(ctx, project, storageAPI()...)
	check(t, err)
	defer writer.Close()
	name := managedwriter.TableParentFromParts(project, dataset.DatasetID, "written")
	for _, kind := range []managedwriter.StreamType{managedwriter.DefaultStream, managedwriter.CommittedStream, managedwriter.PendingStream} {
		stream, err := writer.NewManagedStream(ctx, managedwriter.WithDestinationTable(name), managedwriter.WithType(kind), managedwriter.WithSchemaDescriptor(normal))
		check(t, err)
		result, err := stream.AppendRows(ctx, [][]byte{row, row})
		check(t, err)
		_, err = result.GetResult(ctx)
		check(t, err)
		if kind == managedwriter.PendingStream {
			count, err := stream.Finalize(ctx)
			check(t, err)
			same(t, count, int64(2))
			_, err = writer.BatchCommitWriteStreams(ctx, &storagepb.BatchCommitWriteStreamsRequest{Parent: name, WriteStreams: []string{stream.StreamName()}})
			check(t, err)
		}
		stream.Close() // says EOF
	}
	same(t, rows(t, "SELECT COUNT(*), SUM(n) FROM written"), [][]bigquery.Value{{int64(6), int64(42)}})
}
