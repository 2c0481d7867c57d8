// What a user of Google's clients for Node does, against the emulator that the environment names. Throws where an answer is wrong.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BigQuery } from '@google-cloud/bigquery';
import { adapt, managedwriter, BigQueryReadClient } from '@google-cloud/bigquery-storage';
import { Storage } from '@google-cloud/storage';

const bigquery = new BigQuery();
const projectId = await bigquery.getProjectId();
const name = `node_${process.pid}`;
const [dataset] = await bigquery.createDataset(name, { location: 'US', labels: { made: 'here' } });
const plain = (value) => JSON.parse(JSON.stringify(value));

const walk = {
  async datasets() {
    const [found] = await bigquery.getDatasets();
    assert(found.some((each) => each.id === name));
    const [metadata] = await dataset.setMetadata({ description: 'Of Node', labels: { made: null, kept: 'yes' } });
    assert.deepEqual([metadata.description, metadata.labels], ['Of Node', { kept: 'yes' }]);
    assert.deepEqual([await dataset.exists(), await bigquery.dataset('nope').exists()], [[true], [false]]);
  },

  async tables() {
    const [table] = await dataset.createTable('people', {
      schema: [
        { name: 'name', type: 'STRING', mode: 'REQUIRED' }, { name: 'born', type: 'DATE' }, { name: 'tags', type: 'STRING', mode: 'REPEATED' },
        { name: 'home', type: 'RECORD', fields: [{ name: 'city', type: 'STRING' }, { name: 'at', type: 'GEOGRAPHY' }] },
        { name: 'worth', type: 'NUMERIC' }, { name: 'face', type: 'BYTES' }, { name: 'seen', type: 'TIMESTAMP' }, { name: 'big', type: 'INT64' },
      ],
      timePartitioning: { type: 'MONTH', field: 'born' }, clustering: { fields: ['name'] },
    });
    await table.insert([
      { name: 'Ada', born: BigQuery.date('1815-12-10'), tags: ['a', 'b'], home: { city: 'London', at: BigQuery.geography('POINT(1 2)') },
        worth: 1.25, face: Buffer.from('\0z'), seen: BigQuery.timestamp(new Date(0)), big: 7 },
      { name: 'Bob' }]);
    const [rows] = await table.getRows({ wrapIntegers: true });
    const ada = plain(rows.find((row) => row.name === 'Ada'));
    assert.deepEqual(ada, { name: 'Ada', born: { value: '1815-12-10' }, tags: ['a', 'b'], home: { city: 'London', at: { value: 'POINT(1 2)' } },
      worth: '1.25', face: plain(Buffer.from('\0z')), seen: { value: '1970-01-01T00:00:00.000Z' }, big: { type: 'BigQueryInt', value: '7' } });
    await assert.rejects(table.insert([{ name: 'x', nope: 1 }, { born: '2020-01-01' }]), (error) =>
      error.name === 'PartialFailureError' && error.errors.length === 2 && error.errors[0].errors[0].message === 'no such field: nope.');
    const [metadata] = await table.setMetadata({ description: 'People' });
    assert.deepEqual([metadata.description, metadata.timePartitioning.type, metadata.clustering.fields], ['People', 'MONTH', ['name']]);
    assert.deepEqual((await dataset.getTables())[0].map((each) => each.id), ['people']);
  },

  async queries() {
    const [rows] = await bigquery.query({
      query: `SELECT @i AS i, @s AS s, @f AS f, @b AS b, @d AS d, @ts AS ts, @dt AS dt, @t AS t, @n AS n, @y AS y, @l AS l, @st AS st, @e AS e, @z AS z`,
      params: { i: 1, s: "it's", f: 0.5, b: true, d: BigQuery.date('2020-01-02'), ts: BigQuery.timestamp('2020-01-02T03:04:05Z'),
        dt: BigQuery.datetime('2020-01-02T03:04:05'), t: BigQuery.time('01:02:03'), n: 1.5, y: Buffer.from('q').toString('base64'), l: [1, 2], st: { a: 1, b: ['x'] },
        e: [], z: null },
      types: { n: 'NUMERIC', y: 'BYTES', e: ['INT64'], z: 'STRING' },
    });
    const row = plain(rows[0]);
    assert.deepEqual([row.i, row.s, row.f, row.b, row.d.value, row.ts.value, row.dt.value, row.t.value, row.l, row.st, row.e, row.z],
      [1, "it's", 0.5, true, '2020-01-02', '2020-01-02T03:04:05.000Z', '2020-01-02T03:04:05', '01:02:03', [1, 2], { a: 1, b: ['x'] }, [], null]);
    assert.equal(String(rows[0].n), '1.5');
    const [positional] = await bigquery.query({ query: 'SELECT ? + ? AS n', params: [1, 2] });
    assert.deepEqual(positional, [{ n: 3 }]);
    const [ranges] = await bigquery.query("SELECT RANGE(DATE '2020-01-01', NULL) AS r, JSON '{\"a\": [1]}' AS j, INTERVAL 1 DAY AS i");
    assert.deepEqual([ranges[0].r.start.value, ranges[0].j, ranges[0].i], ['2020-01-01', '{"a":[1]}', '0-0 1 0:0:0']);
  },

  async jobs() {
    const [job] = await bigquery.createQueryJob({ query: 'SELECT n FROM UNNEST(GENERATE_ARRAY(1, 25)) AS n ORDER BY n', labels: { by: 'node' } });
    const pages = [];
    let options = { maxResults: 10, autoPaginate: false };
    while (options) {
      const [rows, next] = await job.getQueryResults(options);
      pages.push(rows.length);
      options = next;
    }
    assert.deepEqual(pages, [10, 10, 5]);
    let streamed = 0;
    for await (const row of bigquery.createQueryStream('SELECT n FROM UNNEST(GENERATE_ARRAY(1, 30000)) AS n')) {
      streamed += row.n > 0 ? 1 : 0;
    }
    assert.equal(streamed, 30000);
    const [[found]] = await bigquery.getJobs({ maxResults: 1 });
    assert.equal((await found.getMetadata())[0].status.state, 'DONE');
    const [dry] = await bigquery.createQueryJob({ query: `SELECT name FROM ${name}.people`, dryRun: true });
    assert(Number(dry.metadata.statistics.totalBytesProcessed) > 0);
    await job.cancel();
    await assert.rejects(bigquery.query('SELECT nope'), (error) =>
      error.code === 400 && error.errors[0].reason === 'invalidQuery' && error.message === 'Unrecognized name: nope at [1:8]');
    await assert.rejects(bigquery.query(`SELECT * FROM ${name}.nope`), (error) => error.code === 404 && error.errors[0].reason === 'notFound');
    await assert.rejects(dataset.createTable('people'), (error) => error.code === 409 && error.errors[0].reason === 'duplicate');
  },

  async statements() {
    const [job] = await bigquery.createQueryJob(`CREATE OR REPLACE TABLE ${name}.stock AS SELECT 'a' AS sku, 1 AS n UNION ALL SELECT 'b', 2`);
    await job.promise();
    const [update] = await bigquery.createQueryJob(`UPDATE ${name}.stock SET n = n + 1 WHERE TRUE`);
    await update.getQueryResults();
    assert.equal((await update.getMetadata())[0].statistics.query.numDmlAffectedRows, '2');
    await dataset.createTable('view', { view: `SELECT sku FROM ${name}.stock` });
    assert.deepEqual((await dataset.table('view').query(`SELECT COUNT(*) AS n FROM ${name}.view`))[0], [{ n: 2 }]);
    const [routine] = await dataset.createRoutine('plus', {
      arguments: [{ name: 'x', dataType: { typeKind: 'INT64' } }], definitionBody: 'x + 1', language: 'SQL', routineType: 'SCALAR_FUNCTION' });
    assert.deepEqual((await bigquery.query(`SELECT ${name}.plus(1) AS n`))[0], [{ n: 2 }]);
    assert.deepEqual((await dataset.getRoutines())[0].map((each) => each.id), ['plus']);
    await routine.delete();
    const [script] = await bigquery.query('DECLARE x INT64 DEFAULT 1; SET x = x + 1; SELECT x;');
    assert.deepEqual(script, [{ x: 2 }]);
  },

  async files() {
    const file = join(tmpdir(), `${name}.csv`);
    await writeFile(file, 'id,name\n1,one\n2,two\n');
    const loaded = dataset.table('loaded');
    const [job] = await loaded.load(file, { autodetect: true, sourceFormat: 'CSV' });
    assert.equal(job.statistics.load.outputRows, '2');
    await new Promise((done, failed) => loaded.createWriteStream({ sourceFormat: 'NEWLINE_DELIMITED_JSON' })
      .on('complete', done).on('error', failed).end('{"id": 3, "name": "three"}\n'));
    await loaded.copy(dataset.table('copied'));
    const storage = new Storage();
    const [bucket] = await storage.createBucket(`${name}-files`);
    const object = bucket.file('out.csv');
    await dataset.table('copied').extract(object, { format: 'CSV' });
    assert.deepEqual((await object.download())[0].toString().trim().split('\n').sort(), ['1,one', '2,two', '3,three', 'id,name']);
    await bucket.upload(file, { destination: 'in/t.csv', resumable: true });
    await dataset.table('again').load(bucket.file('in/t.csv'), { autodetect: true });
    assert.deepEqual((await dataset.table('again').getMetadata())[0].numRows, '2');
    const states = 'bigquery/us-states/2021-07-02T16:04:48_70344/all_namespaces/kind_us-states/all_namespaces_kind_us-states.export_metadata';
    await dataset.table('states').load(storage.bucket('cloud-samples-data').file(states));
    assert.deepEqual((await dataset.table('states').getMetadata())[0].numRows, '50');
    await object.save('text', { metadata: { contentType: 'text/plain', metadata: { by: 'node' } } });
    assert.deepEqual([(await object.getMetadata())[0].metadata.by, (await bucket.getFiles({ prefix: 'in/' }))[0].length], ['node', 1]);
    await object.copy(bucket.file('copy.txt'));
    assert.equal((await bucket.file('copy.txt').download())[0].toString(), 'text');
    await assert.rejects(bucket.file('nope').download(), (error) => error.code === 404);
    await bucket.deleteFiles();
    await bucket.delete();
    await assert.rejects(dataset.table('bad').load(await broken(file), { schema: 'id:INTEGER,name:STRING' }), (error) =>
      error.errors[0].reason === 'invalid');
  },

  async storageApi() {
    const table = `projects/${projectId}/datasets/${name}/tables/stock`;
    const reader = new BigQueryReadClient();
    const [session] = await reader.createReadSession({
      parent: `projects/${projectId}`, readSession: { table, dataFormat: 'AVRO', readOptions: { selectedFields: ['sku'] } }, maxStreamCount: 1 });
    let rows = 0;
    for await (const response of reader.readRows({ readStream: session.streams[0].name })) rows += Number(response.rowCount);
    assert.equal(rows, 2);
    await reader.close();

    const writer = new managedwriter.WriterClient({ projectId });
    const { schema } = (await dataset.table('stock').getMetadata())[0];
    const protoDescriptor = adapt.convertStorageSchemaToProto2Descriptor(adapt.convertBigQuerySchemaToStorageTableSchema(schema), 'root');
    for (const streamType of [managedwriter.DefaultStream, managedwriter.PendingStream]) {
      const streamId = streamType === managedwriter.DefaultStream ? streamType
        : await writer.createWriteStream({ streamType, destinationTable: table });
      const connection = await writer.createStreamConnection({ streamId, destinationTable: table });
      const json = new managedwriter.JSONWriter({ connection, protoDescriptor });
      await json.appendRows([{ sku: 'c', n: 3 }, { sku: 'd', n: 4 }]).getResult();
      if (streamType === managedwriter.PendingStream) {
        assert.equal((await connection.finalize()).rowCount, '2');
        await writer.batchCommitWriteStream({ parent: table, writeStreams: [streamId] });
      }
      json.close();
    }
    writer.close();
    assert.deepEqual((await bigquery.query(`SELECT SUM(n) AS n, COUNT(*) AS rows_ FROM ${name}.stock`))[0], [{ n: 19, rows_: 6 }]);
  },
};

async function broken(file) {
  await writeFile(file, (await readFile(file, 'utf8')) + 'x,y,z\n');
  return file;
}

for (const [step, work] of Object.entries(walk)) {
  try {
    await work();
  } catch (error) {
    console.error(`${step}:`, error.stack, JSON.stringify(error.errors ?? ''), error.code ?? '');
    process.exitCode = 1;
  }
}
await dataset.delete({ force: true });
