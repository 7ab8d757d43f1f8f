import { controlPlane } from "./ControlPlane.ts"
import { listeners } from "./Listeners.ts"
import { long } from "./Long.ts"
import { render } from "./Render.ts"
import { smartCut } from "./SmartCut.ts"
import { start } from "./Start.ts"
import { wall } from "./Wall.ts"

/** `npm run bench` runs all but `long`; `npm run bench -- control`, `-- start`, `-- wall` and so on a part. */
const parts: Readonly<Record<string, () => Promise<void>>> = {
  control: controlPlane,
  start,
  wall,
  render,
  smartcut: smartCut,
  listeners,
  long
}
const asked = process.argv.slice(2)
for (const name of asked.length === 0 ? Object.keys(parts).filter((name) => name !== "long") : asked) {
  const part = parts[name]
  if (part === undefined) {
    console.error(`no such part: ${name} (${Object.keys(parts).join(", ")})`)
    process.exit(2)
  }
  await part()
}
