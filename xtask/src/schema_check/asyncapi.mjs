// Has AsyncAPI's own parser read a document; more than a hint is a failure.
import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';

const HINT = 2;
const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], 'utf8'));
const faults = diagnostics.filter((it) => it.severity < HINT);
for (const fault of faults) {
  console.error(`${fault.path.join('/')}: ${fault.message}`);
}
if (!document || faults.length > 0) {
  process.exit(1);
}
console.log(`AsyncAPI ${document.version()}: ${document.allMessages().length} messages`);
