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
    const again: Array<string> = []
    for (const module of modules) {
      const before = failed
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === "passed") passed++
        else if (state !== "skipped") failed++
        if (test.diagnostic()?.flaky === true) again.push(`${module.relativeModuleId} > ${test.fullName}`)
      }
      if (before === failed && module.state() === "failed") failed++
    }
    process.once("exit", (code) => {
      const failures = code === 0 ? failed : Math.max(1, failed)
      for (const name of again) process.stdout.write(`\nwaited in vain once, passed at the second try: ${name}\n`)
      process.stdout.write(`\ntests: ${passed} passed, ${failures} failed\n`)
    })
  }
}

/**
 * What a wait that ran out says: ours (`until`), Effect's, the browser's, the runner's. Only this is tried again, once, and said at the
 * end: on a busy machine it tells of the machine as often as of the code. A wrong result is never tried again.
 */
const RAN_OUT = /^waited \d+ s for |^Operation timed out after |Timeout \d+ms exceeded|^Test timed out in /

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
    setupFiles: ["./libs/platform/src/testing/seed.ts"],
    sequence: { sequencer: SlowFirst },
    pool: "forks",
    maxWorkers: 3,
    testTimeout: long ? 600_000 : 120_000,
    hookTimeout: 240_000,
    retry: { count: 1, condition: RAN_OUT },
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
