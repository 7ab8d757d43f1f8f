import { defineConfig } from "vitest/config"
import { BaseSequencer } from "vitest/node"
import type { Reporter, TestModule, TestSpecification } from "vitest/node"

const long = process.env["LONG"] === "1"

/**
 * The run in one plain line, as the very last thing printed (after coverage too): vitest's own summary is made for eyes.
 * A file that could not be loaded, and an error outside any test (a set-up, the coverage), count as failures.
 */
const tally: Reporter = {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled) {
    let passed = 0
    let failed = unhandled.length
    for (const module of modules) {
      const before = failed
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === "passed") passed++
        else if (state !== "skipped") failed++
      }
      if (before === failed && module.state() === "failed") failed++
    }
    process.once("exit", (code) => {
      const failures = code === 0 ? failed : Math.max(1, failed)
      process.stdout.write(`\ntests: ${passed} passed, ${failures} failed\n`)
    })
  }
}

/** Files that start whole farms take minutes: begun first, they do not leave one core idle at the end. */
const SLOW = [
  "/test/Faults.",
  "/test/Results.",
  "/cli/test/Export.",
  "/test/Cancel.",
  "/cli/test/Stack.",
  "/services/encoder/test/"
]
const rank = ({ moduleId }: TestSpecification): number => {
  const place = SLOW.findIndex((part) => moduleId.includes(part))
  return place < 0 ? SLOW.length : place
}
class SlowFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const usual = super.sort.bind(this)
    return (await usual(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

/** One configuration for all workspaces. Tests run on real parts, which often wait: three files at a time keep two cores busy. */
export default defineConfig({
  test: {
    include: [
      "{libs,services}/*/test/**/*.test.{ts,tsx}",
      "{web,cli,bench}/test/**/*.test.{ts,tsx}",
      "test/**/*.test.ts"
    ],
    exclude: ["**/node_modules/**", "**/dist/**", ...(long ? [] : ["**/*.long.test.ts"])],
    globalSetup: ["./libs/platform/src/testing/globalSetup.ts"],
    sequence: { sequencer: SlowFirst },
    pool: "forks",
    maxWorkers: 3,
    testTimeout: long ? 600_000 : 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
    reporters: ["default", tally],
    coverage: {
      provider: "v8",
      reportOnFailure: true,
      include: ["libs/*/src/**/*.ts", "services/*/src/**/*.ts"],
      exclude: ["libs/platform/src/testing/**"],
      reporter: ["text-summary", "text", "html"],
      thresholds: { lines: 90 }
    }
  }
})
