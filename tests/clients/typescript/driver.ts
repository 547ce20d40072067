// The main job of a dojo with a generated TypeScript client. `test_clients.py` generates `./client` and runs this.
// Arguments: the URL of the server, the host of the dojo, an address and a password.

import assert from "node:assert/strict";
import { request as send } from "node:http";

import { createClient } from "./client/client/index.js";
import {
  checkPromotions,
  createClass,
  createClassSession,
  createCode,
  createRankSystem,
  createStudent,
  createStudentRankEvent,
  listAttendance,
  logIn,
  scanCode,
} from "./client/sdk.gen.js";

const [url, host, email, password] = process.argv.slice(2) as [string, string, string, string];

// `fetch` does not send another Host than that of the URL, and the name of the dojo need not resolve on this machine.
async function fetchFromDojo(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  const body = Buffer.from(await request.arrayBuffer());
  const headers = { ...Object.fromEntries(request.headers), host, "content-length": body.length };
  return new Promise((resolve, reject) => {
    const sent = send(request.url, { method: request.method, headers }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on("data", (piece: Buffer) => pieces.push(piece));
      answer.on("end", () => {
        const type = answer.headers["content-type"] ?? "";
        resolve(
          new Response(Buffer.concat(pieces), {
            status: answer.statusCode ?? 0,
            headers: { "content-type": type },
          }),
        );
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

const anonymous = createClient({ baseUrl: url, fetch: fetchFromDojo });
const signedIn = await logIn({ client: anonymous, body: { email, password } });
assert(signedIn.data, JSON.stringify(signedIn.error));
const access: string = signedIn.data.access;
const client = createClient({ baseUrl: url, fetch: fetchFromDojo, auth: () => access });

const nameless = await createStudent({ client, body: { first_name: "" } });
assert.equal(nameless.error?.error.code, "validation_error");
const student = await createStudent({
  client,
  body: { first_name: "Yui", last_name: "Mori", birth_date: "2012-03-01" },
});
assert(student.data, JSON.stringify(student.error));
const system = await createRankSystem({ client, body: { preset: "fik-kendo" } });
assert(system.data, JSON.stringify(system.error));
const lowest = system.data.ranks[0];
assert(lowest);

const today = new Date().toISOString().slice(0, 10);
const ranked = await createStudentRankEvent({
  client,
  path: { student_id: student.data.id },
  body: { rank: lowest.id, kind: "import", effective_on: today },
});
assert(ranked.data, JSON.stringify(ranked.error));
const morning = await createClass({
  client,
  body: {
    name: "Morning class",
    recurrence: { weekdays: ["tu"], start_time: "07:00", duration_minutes: 60, from: today },
  },
});
assert(morning.data, JSON.stringify(morning.error));
const session = await createClassSession({
  client,
  body: {
    name: "Now",
    class: morning.data.id,
    starts_at: new Date().toISOString(),
    duration_minutes: 60,
  },
});
assert(session.data, JSON.stringify(session.error));

const code = await createCode({ client, body: { student: student.data.id } });
assert(code.data, JSON.stringify(code.error));
const scan = { token: code.data.token, class_session: session.data.id };
for (const status of ["recorded", "already_recorded"] as const) {
  const scanned = await scanCode({ client, body: scan });
  assert(scanned.data, JSON.stringify(scanned.error));
  assert.equal(scanned.data.status, status);
}
const listed = await listAttendance({ client, query: { student: student.data.id } });
assert(listed.data, JSON.stringify(listed.error));
assert.deepEqual(
  listed.data.results.map((one) => one.class_session.id),
  [session.data.id],
);

const check = await checkPromotions({ client, body: { students: [student.data.id] } });
assert(check.data, JSON.stringify(check.error));
assert.deepEqual([...new Set(check.data.results.map((one) => one.student.name))], ["Yui Mori"]);
console.log("done");
