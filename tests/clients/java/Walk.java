// What a user of Google's clients for Java does, against the emulator that the environment names.
import com.google.api.core.ApiFuture;
import com.google.api.gax.core.NoCredentialsProvider;
import com.google.api.gax.grpc.InstantiatingGrpcChannelProvider;
import com.google.api.gax.rpc.NotFoundException;
import com.google.cloud.NoCredentials;
import com.google.cloud.bigquery.*;
import com.google.cloud.bigquery.storage.v1.*;
import com.google.cloud.bigquery.storage.v1.TableName;
import com.google.cloud.storage.Blob;
import com.google.cloud.storage.BlobInfo;
import com.google.cloud.storage.Bucket;
import com.google.cloud.storage.BucketInfo;
import com.google.cloud.storage.Storage;
import com.google.cloud.storage.StorageException;
import com.google.cloud.storage.StorageOptions;
import io.grpc.ManagedChannelBuilder;
import java.io.OutputStream;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.json.JSONArray;
import org.json.JSONObject;
import org.threeten.extra.PeriodDuration;

public class Walk {
  static final String project = System.getenv("GOOGLE_CLOUD_PROJECT");
  static final String dataset = "java_" + ProcessHandle.current().pid();
  static BigQuery client;
  static Storage files;

  interface Step { void run() throws Exception; }

  public static void main(String[] arguments) throws Exception {
    client = BigQueryOptions.newBuilder().setProjectId(project).setHost(System.getenv("BIGQUERY_EMULATOR_HOST"))
        .setCredentials(NoCredentials.getInstance()).build().getService();
    files = StorageOptions.newBuilder().setProjectId(project).setHost(System.getenv("STORAGE_EMULATOR_HOST"))
        .setCredentials(NoCredentials.getInstance()).build().getService();
    client.create(DatasetInfo.newBuilder(dataset).setLocation("US").setDescription("made here").setLabels(Map.of("made", "here")).build());
    Map<String, Step> steps = new java.util.LinkedHashMap<>();
    steps.put("datasets", Walk::datasets);
    steps.put("tables", Walk::tables);
    steps.put("rows", Walk::rows);
    steps.put("queries", Walk::queries);
    steps.put("parameters", Walk::parameters);
    steps.put("statements", Walk::statements);
    steps.put("loads", Walk::loads);
    steps.put("objects", Walk::objects);
    steps.put("connection", Walk::connection);
    steps.put("write", Walk::write);
    steps.put("streams", Walk::streams);
    steps.put("read", Walk::read);
    int failed = 0;
    for (var step : steps.entrySet()) {
      try {
        step.getValue().run();
        System.out.println("ok " + step.getKey());
      } catch (Throwable error) {
        failed++;
        System.out.println("failed: " + step.getKey());
        error.printStackTrace(System.out);
      }
    }
    client.delete(dataset, BigQuery.DatasetDeleteOption.deleteContents());
    System.exit(failed);
  }

  static void same(Object got, Object want) {
    if (!Objects.equals(got, want)) throw new AssertionError("got " + got + ", want " + want);
  }

  static void fails(Step step, int code, String reason) throws Exception {
    try {
      step.run();
    } catch (BigQueryException error) {
      same(List.of(error.getCode(), error.getReason()), List.of(code, reason));
      return;
    }
    throw new AssertionError("no " + reason);
  }

  static <T> List<T> all(Iterable<T> values) {
    List<T> list = new ArrayList<>();
    values.forEach(list::add);
    return list;
  }

  static List<FieldValueList> ask(String sql) throws Exception {
    return all(client.query(QueryJobConfiguration.newBuilder(sql).setDefaultDataset(dataset).build()).iterateAll());
  }

  static Job finish(JobInfo job) throws Exception {
    Job done = client.create(job).waitFor();
    if (done.getStatus().getError() != null) throw new AssertionError(done.getStatus().getError());
    return done;
  }

  static Job finish(JobConfiguration configuration) throws Exception {
    return finish(JobInfo.of(configuration));
  }

  static TableId table(String name) {
    return TableId.of(dataset, name);
  }

  static void datasets() throws Exception {
    Dataset found = client.getDataset(dataset);
    same(found.getLabels(), Map.of("made", "here"));
    found = found.toBuilder().setDescription("changed").setDefaultTableLifetime(3600000L * 24).build().update();
    same(List.of(found.getDescription(), found.getDefaultTableLifetime()), List.of("changed", 86400000L));
    List<Acl> access = new ArrayList<>(found.getAcl());
    access.add(Acl.of(new Acl.User("ada@example.com"), Acl.Role.READER));
    same(client.update(found.toBuilder().setAcl(access).build()).getAcl().size(), access.size());
    same(all(client.listDatasets(BigQuery.DatasetListOption.labelFilter("labels.made:here")).iterateAll()).stream()
        .anyMatch(each -> each.getDatasetId().getDataset().equals(dataset)), true);
    same(client.getDataset("nope"), null);
    fails(() -> client.create(DatasetInfo.of(dataset)), 409, "duplicate");
    same(client.delete("nope"), false);
  }

  static void tables() throws Exception {
    Schema schema = Schema.of(
        Field.newBuilder("name", StandardSQLTypeName.STRING).setMode(Field.Mode.REQUIRED).setDescription("who").setMaxLength(20L).build(),
        Field.of("born", StandardSQLTypeName.DATE), Field.newBuilder("worth", StandardSQLTypeName.NUMERIC).setPrecision(10L).setScale(2L).build(),
        Field.newBuilder("tags", StandardSQLTypeName.STRING).setMode(Field.Mode.REPEATED).build(),
        Field.newBuilder("home", StandardSQLTypeName.STRUCT, Field.of("city", StandardSQLTypeName.STRING)).build(),
        Field.newBuilder("n", StandardSQLTypeName.INT64).setDefaultValueExpression("7").build());
    Table made = client.create(TableInfo.newBuilder(table("people"), StandardTableDefinition.newBuilder().setSchema(schema)
        .setTimePartitioning(TimePartitioning.newBuilder(TimePartitioning.Type.MONTH).setField("born").build())
        .setClustering(Clustering.newBuilder().setFields(List.of("name")).build()).build()).setDescription("People").build());
    StandardTableDefinition definition = client.getTable(table("people")).getDefinition();
    same(definition.getSchema(), schema);
    same(List.of(definition.getTimePartitioning().getType(), definition.getClustering().getFields()), List.of(TimePartitioning.Type.MONTH, List.of("name")));
    List<Field> more = new ArrayList<>(schema.getFields());
    more.add(Field.of("later", StandardSQLTypeName.JSON));
    Table changed = made.toBuilder().setDescription(null).setLabels(Map.of("a", "b")).setExpirationTime(System.currentTimeMillis() + 3600000)
        .setDefinition(((StandardTableDefinition) made.getDefinition()).toBuilder().setSchema(Schema.of(more)).build()).build().update();
    same(changed.getDefinition().getSchema().getFields().size(), 7);
    same(List.of(changed.getLabels(), changed.getDescription() == null), List.of(Map.of("a", "b"), true));
    client.create(TableInfo.of(table("view"), ViewDefinition.newBuilder("SELECT name FROM " + dataset + ".people").setUseLegacySql(false).build()));
    client.create(TableInfo.of(table("summary"), MaterializedViewDefinition.of("SELECT name, COUNT(*) AS n FROM " + dataset + ".people GROUP BY name")));
    same(((ViewDefinition) client.getTable(table("view")).getDefinition()).getSchema().getFields().get(0).getName(), "name");
    same(all(client.listTables(dataset, BigQuery.TableListOption.pageSize(1)).iterateAll()).size(), 3);
    same(client.getTable(table("nope")), null);
    fails(() -> client.create(TableInfo.of(table("people"), StandardTableDefinition.of(schema))), 409, "duplicate");
    var policy = client.getIamPolicy(table("people"));
    policy = client.setIamPolicy(table("people"), policy.toBuilder().addIdentity(com.google.cloud.Role.of("roles/bigquery.dataViewer"),
        com.google.cloud.Identity.user("ada@example.com")).build());
    same(policy.getBindings().keySet().contains(com.google.cloud.Role.of("roles/bigquery.dataViewer")), true);
    same(client.testIamPermissions(table("people"), List.of("bigquery.tables.get")), List.of("bigquery.tables.get"));
    client.create(RoutineInfo.newBuilder(RoutineId.of(dataset, "plus")).setRoutineType("SCALAR_FUNCTION").setLanguage("SQL").setBody("x + 1")
        .setArguments(List.of(RoutineArgument.newBuilder().setName("x").setDataType(StandardSQLDataType.newBuilder("INT64").build()).build())).build());
    same(ask("SELECT plus(1)").get(0).get(0).getLongValue(), 2L);
    same(all(client.listRoutines(dataset).iterateAll()).size(), 1);
    same(client.delete(RoutineId.of(dataset, "plus")), true);
    same(List.of(client.delete(table("view")), client.delete(table("view"))), List.of(true, false));
  }

  static void rows() throws Exception {
    Table numbers = client.create(TableInfo.of(table("numbers"), StandardTableDefinition.of(Schema.of(
        Field.of("n", StandardSQLTypeName.INT64), Field.of("at", StandardSQLTypeName.TIMESTAMP), Field.of("b", StandardSQLTypeName.BYTES),
        Field.newBuilder("s", StandardSQLTypeName.STRUCT, Field.newBuilder("l", StandardSQLTypeName.INT64).setMode(Field.Mode.REPEATED).build()).build()))));
    InsertAllRequest.Builder request = InsertAllRequest.newBuilder(numbers);
    for (int n = 0; n < 25; n++)
      request.addRow("row" + n, Map.of("n", n, "at", "2020-01-02 03:04:05.000006", "b", "AHo=", "s", Map.of("l", List.of(n, n + 1))));
    same(client.insertAll(request.build()).hasErrors(), false);
    InsertAllResponse bad = client.insertAll(InsertAllRequest.newBuilder(numbers).addRow(Map.of("n", "x")).addRow(Map.of("n", 1)).build());
    same(List.of(bad.getErrorsFor(0).get(0).getReason(), bad.getErrorsFor(1).get(0).getReason()), List.of("invalid", "stopped"));
    TableResult page = client.listTableData(table("numbers"), BigQuery.TableDataListOption.pageSize(10));
    same(List.of(page.getTotalRows(), all(page.getValues()).size(), page.hasNextPage()), List.of(25L, 10, true));
    same(all(page.getNextPage().getValues()).size(), 15); // the client asks for what is left
    Schema schema = numbers.getDefinition().getSchema();
    List<FieldValueList> found = all(client.listTableData(table("numbers"), schema, BigQuery.TableDataListOption.pageSize(10)).iterateAll());
    FieldValueList row = found.get(3);
    same(List.of(found.size(), row.get("n").getLongValue(), row.get("at").getTimestampValue(), row.get("b").getBytesValue().length,
        row.get("s").getRecordValue().get(0).getRepeatedValue().get(1).getLongValue()), List.of(25, 3L, 1577934245000006L, 2, 4L));
    same(all(numbers.list(BigQuery.TableDataListOption.startIndex(20)).iterateAll()).size(), 5);
  }

  static void queries() throws Exception {
    QueryJobConfiguration.Builder sql = QueryJobConfiguration.newBuilder("SELECT n, CAST(n AS STRING) AS s FROM UNNEST(GENERATE_ARRAY(1, 25)) AS n ORDER BY n");
    TableResult result = client.query(sql.setMaxResults(10L).build());
    same(List.of(result.getTotalRows(), all(result.getValues()).size(), all(result.iterateAll()).size()), List.of(25L, 10, 25));
    same(result.getSchema().getFields().get("s").getType().getStandardType(), StandardSQLTypeName.STRING);
    Job job = finish(JobInfo.of(JobId.newBuilder().setRandomJob().setLocation("US").build(), sql.setDestinationTable(table("kept")).setLabels(Map.of("by", "java"))
        .setWriteDisposition(JobInfo.WriteDisposition.WRITE_TRUNCATE).build()));
    same(all(job.getQueryResults(BigQuery.QueryResultsOption.pageSize(7)).iterateAll()).size(), 25);
    JobStatistics.QueryStatistics statistics = client.getJob(job.getJobId()).getStatistics();
    same(List.of(statistics.getStatementType(), statistics.getCacheHit()), List.of(JobStatistics.QueryStatistics.StatementType.SELECT, false));
    same(((StandardTableDefinition) client.getTable(table("kept")).getDefinition()).getNumRows(), 25L);
    Job dry = client.create(JobInfo.of(QueryJobConfiguration.newBuilder("SELECT n FROM " + dataset + ".kept").setDryRun(true).build()));
    same(((JobStatistics.QueryStatistics) dry.getStatistics()).getTotalBytesProcessed(), 200L);
    fails(() -> ask("SELECT nope"), 400, "invalidQuery");
    fails(() -> ask("SELECT * FROM nowhere.nope"), 404, "notFound");
    same(all(client.listJobs(BigQuery.JobListOption.pageSize(5), BigQuery.JobListOption.allUsers()).getValues()).size(), 5);
    same(client.getJob("nope"), null);
    same(client.cancel(job.getJobId()), true);
  }

  static void parameters() throws Exception {
    Map<String, QueryParameterValue> named = new java.util.LinkedHashMap<>();
    named.put("i", QueryParameterValue.int64(1));
    named.put("f", QueryParameterValue.float64(0.5));
    named.put("b", QueryParameterValue.bool(true));
    named.put("s", QueryParameterValue.string("it's"));
    named.put("y", QueryParameterValue.bytes(new byte[] {0, 122}));
    named.put("n", QueryParameterValue.numeric(new BigDecimal("1.25")));
    named.put("big", QueryParameterValue.bigNumeric(new BigDecimal("1.000000000000000000000001")));
    named.put("d", QueryParameterValue.date("2020-01-02"));
    named.put("t", QueryParameterValue.time("03:04:05.000006"));
    named.put("dt", QueryParameterValue.dateTime("2020-01-02 03:04:05.000006"));
    named.put("ts", QueryParameterValue.timestamp(1577934245000006L));
    named.put("j", QueryParameterValue.json("{\"a\":1}"));
    named.put("iv", QueryParameterValue.interval("1-2 3 4:5:6.789"));
    named.put("g", QueryParameterValue.geography("POINT(1 2)"));
    named.put("a", QueryParameterValue.array(new Integer[] {1, 2}, Integer.class));
    named.put("st", QueryParameterValue.struct(Map.of("city", QueryParameterValue.string("Rome"))));
    named.put("none", QueryParameterValue.string(null));
    QueryJobConfiguration.Builder sql = QueryJobConfiguration.newBuilder(
        "SELECT @i, @f, @b, @s, @y, @n, @big, @d, @t, @dt, @ts, @j, @iv, @g, @a, @st.city, @none IS NULL, @st");
    named.forEach(sql::addNamedParameter);
    FieldValueList row = all(client.query(sql.build()).iterateAll()).get(0);
    same(List.of(row.get(0).getLongValue(), row.get(1).getDoubleValue(), row.get(2).getBooleanValue(), row.get(3).getStringValue(), row.get(4).getBytesValue().length),
        List.of(1L, 0.5, true, "it's", 2));
    same(List.of(row.get(5).getNumericValue(), row.get(6).getStringValue(), row.get(7).getStringValue(), row.get(8).getStringValue(), row.get(9).getStringValue()),
        List.of(new BigDecimal("1.25"), "1.000000000000000000000001", "2020-01-02", "03:04:05.000006", "2020-01-02T03:04:05.000006"));
    same(List.of(row.get(10).getTimestampValue(), row.get(11).getStringValue(), row.get(12).getPeriodDuration().normalizedYears(), row.get(13).getStringValue()),
        List.of(1577934245000006L, "{\"a\":1}", PeriodDuration.parse("P1Y2M3DT4H5M6.789S").normalizedYears(), "POINT(1 2)"));
    same(List.of(row.get(14).getRepeatedValue().get(1).getLongValue(), row.get(15).getStringValue(), row.get(16).getBooleanValue()), List.of(2L, "Rome", true));
    same(row.get(17).getRecordValue().get(0).getStringValue(), "Rome");
    QueryJobConfiguration positional = QueryJobConfiguration.newBuilder("SELECT ? + ?").addPositionalParameter(QueryParameterValue.int64(1))
        .addPositionalParameter(QueryParameterValue.int64(2)).build();
    same(all(client.query(positional).iterateAll()).get(0).get(0).getLongValue(), 3L);
    row = ask("SELECT RANGE(DATE '2020-01-01', NULL) AS r").get(0);
    same(row.get(0).getRangeValue().getStart().getStringValue(), "2020-01-01");
  }

  static void statements() throws Exception {
    ask("CREATE TABLE stock AS SELECT 'a' AS sku, 1 AS n UNION ALL SELECT 'b', 2");
    Job job = finish(QueryJobConfiguration.of("UPDATE " + dataset + ".stock SET n = n + 1 WHERE TRUE"));
    JobStatistics.QueryStatistics statistics = job.getStatistics();
    same(List.of(statistics.getNumDmlAffectedRows(), statistics.getDmlStats().getUpdatedRowCount()), List.of(2L, 2L));
    same(ask("DECLARE x INT64 DEFAULT 1; SET x = x + 1; SELECT x").get(0).get(0).getLongValue(), 2L);
    job = finish(QueryJobConfiguration.of("BEGIN SELECT 1; SELECT 2; END"));
    same(all(client.listJobs(BigQuery.JobListOption.parentJobId(job.getJobId().getJob())).iterateAll()).size(), 2);
    Job session = finish(QueryJobConfiguration.newBuilder("CREATE TEMP TABLE t AS SELECT 5 AS n").setCreateSession(true).build());
    String id = session.getStatistics().getSessionInfo().getSessionId();
    same(all(client.query(QueryJobConfiguration.newBuilder("SELECT n FROM t").setConnectionProperties(List.of(ConnectionProperty.of("session_id", id))).build())
        .iterateAll()).get(0).get(0).getLongValue(), 5L);
    finish(CopyJobConfiguration.of(table("copied"), List.of(table("stock"), table("stock"))));
    same(ask("SELECT COUNT(*) FROM copied").get(0).get(0).getLongValue(), 4L);
    finish(CopyJobConfiguration.newBuilder(table("snapshot"), table("stock")).setOperationType("SNAPSHOT").build());
    same(client.getTable(table("snapshot")).getDefinition() instanceof SnapshotTableDefinition, true);
    long before = System.currentTimeMillis();
    client.delete(table("stock"));
    client.getTable(table("copied")).copy(dataset, "again").waitFor();
    finish(CopyJobConfiguration.of(table("stock"), TableId.of(dataset, "stock@" + before)));
    same(ask("SELECT COUNT(*) FROM stock").get(0).get(0).getLongValue(), 2L);
    fails(() -> client.getTable(table("copied")).copy(dataset, "nope@1").waitFor(), 0, "invalid"); // the client tells no code of a job's error
  }

  static void loads() throws Exception {
    WriteChannelConfiguration configuration = WriteChannelConfiguration.newBuilder(table("loaded")).setFormatOptions(FormatOptions.csv()).setAutodetect(true).build();
    TableDataWriteChannel writer = client.writer(JobId.newBuilder().setRandomJob().setLocation("US").build(), configuration);
    writer.setChunkSize(256 * 1024);
    try (OutputStream stream = Channels.newOutputStream(writer)) {
      StringBuilder text = new StringBuilder("id,name\n");
      for (int n = 0; n < 100000; n++) text.append(n).append(",name").append(n).append('\n');
      stream.write(text.toString().getBytes(StandardCharsets.UTF_8));
    }
    Job job = writer.getJob().waitFor();
    same(((JobStatistics.LoadStatistics) job.getStatistics()).getOutputRows(), 100000L);
    Bucket bucket = files.create(BucketInfo.newBuilder(dataset.replace('_', '-')).setLocation("US").build());
    String at = "gs://" + bucket.getName() + "/";
    finish(ExtractJobConfiguration.newBuilder(table("loaded"), at + "out-*.csv.gz").setFormat("CSV").setCompression("GZIP").build());
    job = client.getTable(table("loaded")).extract("AVRO", at + "out.avro").waitFor();
    same(((JobStatistics.ExtractStatistics) job.getStatistics()).getDestinationUriFileCounts(), List.of(1L));
    finish(LoadJobConfiguration.newBuilder(table("csv"), at + "out-*.csv.gz", CsvOptions.newBuilder().setSkipLeadingRows(1).build()).setSchema(Schema.of(
        Field.of("id", StandardSQLTypeName.INT64), Field.of("name", StandardSQLTypeName.STRING))).build());
    finish(LoadJobConfiguration.newBuilder(table("csv"), at + "out.avro", FormatOptions.avro()).setWriteDisposition(JobInfo.WriteDisposition.WRITE_APPEND).build());
    same(ask("SELECT COUNT(*) FROM csv").get(0).get(0).getLongValue(), 200000L);
    files.create(BlobInfo.newBuilder(bucket.getName(), "bad.json").build(), "{\"id\": \"x\"}\n".getBytes(StandardCharsets.UTF_8));
    fails(() -> finish(LoadJobConfiguration.newBuilder(table("csv"), at + "bad.json", FormatOptions.json()).build()), 0, "invalid");
    client.create(TableInfo.of(table("outside"), ExternalTableDefinition.newBuilder(at + "out.avro", FormatOptions.avro()).build()));
    same(ask("SELECT COUNT(*) FROM outside").get(0).get(0).getLongValue(), 100000L);
    for (Blob blob : bucket.list().iterateAll()) same(blob.delete(), true);
    same(bucket.delete(), true);
  }

  static void objects() throws Exception {
    Bucket bucket = files.create(BucketInfo.newBuilder(dataset.replace('_', '-') + "-objects").setVersioningEnabled(true).setLabels(Map.of("a", "b")).build());
    byte[] large = new byte[1 << 20];
    Blob blob = bucket.create("folder/ä b.bin", large, "application/octet-stream");
    same(List.of(blob.getSize(), blob.getGeneratedId().contains("folder"), blob.getContent().length), List.of(1L << 20, true, 1 << 20));
    try (var writer = files.writer(BlobInfo.newBuilder(bucket.getName(), "written").setContentType("text/plain").setMetadata(Map.of("k", "v")).build())) {
      writer.setChunkSize(256 * 1024);
      writer.write(ByteBuffer.wrap(large));
      writer.write(ByteBuffer.wrap("end".getBytes(StandardCharsets.UTF_8)));
    }
    Blob written = bucket.get("written");
    same(List.of(written.getSize(), written.getMetadata()), List.of((1L << 20) + 3, Map.of("k", "v")));
    try (var reader = written.reader()) {
      reader.seek(1 << 20);
      ByteBuffer end = ByteBuffer.allocate(10);
      while (reader.read(end) > 0) { }
      same(new String(end.array(), 0, end.position(), StandardCharsets.UTF_8), "end");
    }
    same(written.toBuilder().setMetadata(Map.of("k", "w")).build().update().getMetadata(), Map.of("k", "w"));
    same(written.copyTo(bucket.getName(), "copy").getResult().getSize(), written.getSize());
    files.compose(Storage.ComposeRequest.of(bucket.getName(), List.of("copy", "written"), "both"));
    same(bucket.get("both").getSize(), 2 * written.getSize());
    same(all(bucket.list(Storage.BlobListOption.currentDirectory(), Storage.BlobListOption.pageSize(2)).iterateAll()).size(), 4);
    same(all(files.list(bucket.getName(), Storage.BlobListOption.prefix("folder/")).iterateAll()).get(0).getName(), "folder/ä b.bin");
    try {
      bucket.create("written", large, Bucket.BlobTargetOption.doesNotExist());
      throw new AssertionError("overwritten");
    } catch (StorageException error) {
      same(error.getCode(), 412);
    }
    same(files.get(bucket.getName(), "nope"), null);
    var batch = files.batch();
    var deleted = batch.delete(bucket.getName(), "copy");
    var absent = batch.get(bucket.getName(), "nope");
    batch.submit();
    same(deleted.get(), true);
    same(absent.get(), null);
    same(files.delete(written.getBlobId(), files.get(bucket.getName(), "both").getBlobId()), List.of(true, true));
    for (Blob each : bucket.list(Storage.BlobListOption.versions(true)).iterateAll()) files.delete(each.getBlobId());
    same(bucket.delete(), true);
  }

  /** The connection is the client's own way to page through many rows. */
  static void connection() throws Exception {
    Connection connection = client.createConnection(ConnectionSettings.newBuilder().setDefaultDataset(DatasetId.of(dataset)).setUseReadAPI(false).build());
    BigQueryResult result = connection.executeSelect("SELECT n, CONCAT('x', CAST(n AS STRING)) AS s FROM UNNEST(GENERATE_ARRAY(1, 30000)) AS n");
    java.sql.ResultSet found = result.getResultSet();
    long sum = 0;
    while (found.next()) sum += found.getLong("n");
    same(sum, 450015000L);
    same(connection.dryRun("SELECT @n + 1").getQueryParameters().size(), 1);
  }

  static InstantiatingGrpcChannelProvider.Builder plain(InstantiatingGrpcChannelProvider.Builder channel) {
    return channel.setEndpoint(System.getenv("grpc_proxy").replace("http://", "")).setChannelConfigurator(ManagedChannelBuilder::usePlaintext);
  }

  static BigQueryWriteClient writeClient() throws Exception {
    return BigQueryWriteClient.create(BigQueryWriteSettings.newBuilder().setCredentialsProvider(NoCredentialsProvider.create())
        .setTransportChannelProvider(plain(BigQueryWriteSettings.defaultGrpcTransportProviderBuilder()).build()).build());
  }

  static void write() throws Exception {
    client.create(TableInfo.of(table("written"), StandardTableDefinition.of(Schema.of(
        Field.of("name", StandardSQLTypeName.STRING), Field.of("n", StandardSQLTypeName.INT64), Field.of("at", StandardSQLTypeName.TIMESTAMP),
        Field.of("d", StandardSQLTypeName.DATE), Field.of("dt", StandardSQLTypeName.DATETIME), Field.of("t", StandardSQLTypeName.TIME),
        Field.of("worth", StandardSQLTypeName.NUMERIC), Field.of("big", StandardSQLTypeName.BIGNUMERIC), Field.of("j", StandardSQLTypeName.JSON),
        Field.of("b", StandardSQLTypeName.BYTES), Field.of("f", StandardSQLTypeName.FLOAT64), Field.of("ok", StandardSQLTypeName.BOOL),
        Field.of("g", StandardSQLTypeName.GEOGRAPHY), Field.newBuilder("l", StandardSQLTypeName.INT64).setMode(Field.Mode.REPEATED).build(),
        Field.newBuilder("s", StandardSQLTypeName.STRUCT, Field.of("city", StandardSQLTypeName.STRING)).build()))));
    String parent = TableName.of(project, dataset, "written").toString();
    try (BigQueryWriteClient writes = writeClient();
        JsonStreamWriter writer = JsonStreamWriter.newBuilder(parent, writes).build()) {
      JSONArray rows = new JSONArray();
      for (int n = 0; n < 100; n++)
        rows.put(new JSONObject().put("name", "x" + n).put("n", n).put("at", "2020-01-02 03:04:05.000006").put("d", "2020-01-02").put("dt", "2020-01-02 03:04:05")
            .put("t", "03:04:05").put("worth", "1.25").put("big", "1.5").put("j", "{\"a\":1}").put("b", com.google.protobuf.ByteString.copyFrom(new byte[] {0, 122})).put("f", 0.5).put("ok", true)
            .put("g", "POINT(1 2)").put("l", new JSONArray(List.of(1, 2))).put("s", new JSONObject().put("city", "Rome")));
      ApiFuture<AppendRowsResponse> answer = writer.append(rows);
      same(answer.get().hasError(), false);
      for (int n = 0; n < 20; n++) writer.append(new JSONArray().put(new JSONObject().put("n", n))).get();
      try {
        writer.append(new JSONArray().put(new JSONObject().put("nope", 1))).get();
        throw new AssertionError("an unknown column");
      } catch (Exceptions.AppendSerializationError error) {
        same(error.getRowIndexToErrorMessage().size(), 1);
      }
    }
    same(ask("SELECT SUM(n) FROM written").get(0).get(0).getLongValue(), 5140L);
    same(ask("SELECT TO_JSON_STRING((SELECT AS STRUCT t.* EXCEPT (g))) FROM written AS t WHERE name = 'x7'").get(0).get(0).getStringValue(),
        "{\"name\":\"x7\",\"n\":7,\"at\":\"2020-01-02T03:04:05.000006Z\",\"d\":\"2020-01-02\",\"dt\":\"2020-01-02T03:04:05\",\"t\":\"03:04:05\",\"worth\":\"1.25\","
        + "\"big\":\"1.5\",\"j\":{\"a\":1},\"b\":\"AHo=\",\"f\":0.5,\"ok\":true,\"l\":[1,2],\"s\":{\"city\":\"Rome\"}}");
  }

  static void streams() throws Exception {
    client.create(TableInfo.of(table("streamed"), StandardTableDefinition.of(Schema.of(Field.of("n", StandardSQLTypeName.INT64)))));
    TableName parent = TableName.of(project, dataset, "streamed");
    try (BigQueryWriteClient writes = writeClient()) {
      for (WriteStream.Type type : List.of(WriteStream.Type.COMMITTED, WriteStream.Type.PENDING, WriteStream.Type.BUFFERED)) {
        WriteStream stream = writes.createWriteStream(parent, WriteStream.newBuilder().setType(type).build());
        try (JsonStreamWriter writer = JsonStreamWriter.newBuilder(stream.getName(), stream.getTableSchema(), writes).build()) {
          JSONArray two = new JSONArray().put(new JSONObject().put("n", 1)).put(new JSONObject().put("n", 2));
          same(writer.append(two, 0).get().getAppendResult().getOffset().getValue(), 0L);
          same(writer.append(two, 2).get().getAppendResult().getOffset().getValue(), 2L);
          try {
            writer.append(two, 0).get();
            throw new AssertionError("written twice");
          } catch (java.util.concurrent.ExecutionException error) {
            same(error.getCause() instanceof Exceptions.OffsetAlreadyExists, true);
          }
          if (type == WriteStream.Type.BUFFERED)
            same(writes.flushRows(FlushRowsRequest.newBuilder().setWriteStream(stream.getName()).setOffset(com.google.protobuf.Int64Value.of(2)).build()).getOffset(), 2L);
          same(writes.finalizeWriteStream(stream.getName()).getRowCount(), 4L);
          if (type == WriteStream.Type.PENDING)
            same(writes.batchCommitWriteStreams(BatchCommitWriteStreamsRequest.newBuilder().setParent(parent.toString()).addWriteStreams(stream.getName()).build())
                .getStreamErrorsCount(), 0);
        }
      }
      try {
        writes.createWriteStream(TableName.of(project, dataset, "nope"), WriteStream.newBuilder().setType(WriteStream.Type.COMMITTED).build());
        throw new AssertionError("a stream to no table");
      } catch (NotFoundException error) {
        same(error.isRetryable(), false);
      }
    }
    same(ask("SELECT COUNT(*) FROM streamed").get(0).get(0).getLongValue(), 11L);
  }

  static void read() throws Exception {
    try (BigQueryReadClient reads = BigQueryReadClient.create(BigQueryReadSettings.newBuilder().setCredentialsProvider(NoCredentialsProvider.create())
        .setTransportChannelProvider(plain(BigQueryReadSettings.defaultGrpcTransportProviderBuilder()).build()).build())) {
      ReadSession session = reads.createReadSession(CreateReadSessionRequest.newBuilder().setParent("projects/" + project).setMaxStreamCount(2).setReadSession(
          ReadSession.newBuilder().setTable(TableName.of(project, dataset, "loaded").toString()).setDataFormat(DataFormat.AVRO).setReadOptions(
              ReadSession.TableReadOptions.newBuilder().addSelectedFields("id").setRowRestriction("id < 50000"))).build());
      long count = 0;
      for (ReadStream stream : session.getStreamsList())
        for (ReadRowsResponse answer : reads.readRowsCallable().call(ReadRowsRequest.newBuilder().setReadStream(stream.getName()).build()))
          count += answer.getRowCount();
      same(count, 50000L);
    }
  }
}
