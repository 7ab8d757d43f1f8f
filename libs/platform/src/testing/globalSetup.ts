import { Effect } from "effect"
import { mkdir, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestProject } from "vitest/node"
import { startPostgres, stopPostgres } from "../embedded/Postgres.ts"
import { hasEnded, ownIdentity } from "../ProcessIdentity.ts"
import { dropTemplate, makeTemplate } from "./Databases.ts"
import type { TestDatabases } from "./Databases.ts"
import type { TestNats } from "./NatsSources.ts"

/**
 * Once a test run: one Postgres with a migrated template database, and where test files get NATS from. Three sources:
 * - embedded (the default): real servers as child processes, nothing to install but nats-server;
 * - `REELAY_TEST_INFRA=containers`: testcontainers (REELAY_TEST_POSTGRES_IMAGE, REELAY_TEST_NATS_IMAGE,
 *   REELAY_TEST_NATS_VERSION name the images), where a Docker engine is;
 * - REELAY_TEST_DATABASE_URL and REELAY_TEST_NATS_URL: servers that run already.
 */
declare module "vitest" {
  interface ProvidedContext {
    readonly reelay: { readonly databases: TestDatabases; readonly nats: TestNats }
  }
}

interface Server {
  readonly adminUrl: string
  readonly stop: () => Promise<void>
}

const RUN = "reelay-run-"

/** What a run that was killed left behind. */
const sweep = async () => {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(RUN) || hasEnded(name.slice(RUN.length)) !== true) continue
    const folder = join(tmpdir(), name)
    await Effect.runPromise(Effect.ignore(stopPostgres(join(folder, "postgres"))))
    await rm(folder, { recursive: true, force: true })
  }
}

const embedded = async (): Promise<Server> => {
  await sweep()
  const folder = join(tmpdir(), `${RUN}${ownIdentity}`)
  // Not mkdtemp, whose folders are closed to the user that runs Postgres when we are root.
  await mkdir(folder, { mode: 0o755 })
  const server = await Effect.runPromise(
    startPostgres({ dataDirectory: join(folder, "postgres"), port: 0, database: "postgres", durable: false })
  )
  return {
    adminUrl: server.url,
    stop: async () => {
      await Effect.runPromise(server.kill)
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}

const container = async (): Promise<Server> => {
  const { GenericContainer, Wait } = await import("testcontainers")
  const started = await new GenericContainer(process.env["REELAY_TEST_POSTGRES_IMAGE"] ?? "postgres:18")
    .withEnvironment({ POSTGRES_PASSWORD: "test" })
    .withExposedPorts(5432)
    // Its first start is for the set-up scripts and does not count.
    .withWaitStrategy(Wait.forAll([Wait.forListeningPorts(), Wait.forLogMessage(/ready to accept connections/, 2)]))
    .start()
  return {
    adminUrl: `postgres://postgres:test@${started.getHost()}:${started.getMappedPort(5432)}/postgres`,
    stop: async () => {
      await started.stop()
    }
  }
}

const natsSource = (containers: boolean): TestNats => {
  const url = process.env["REELAY_TEST_NATS_URL"]
  if (url !== undefined) return { source: "given", url }
  if (!containers) return { source: "embedded" }
  return {
    source: "container",
    image: process.env["REELAY_TEST_NATS_IMAGE"] ?? "nats:2.12",
    version: process.env["REELAY_TEST_NATS_VERSION"] ?? "2.12.0"
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const containers = process.env["REELAY_TEST_INFRA"] === "containers"
  const nats = natsSource(containers)
  if (nats.source === "given" && project.vitest.config.maxWorkers !== 1) {
    throw new Error("REELAY_TEST_NATS_URL is one server for all test files: run with --maxWorkers=1")
  }
  const given = process.env["REELAY_TEST_DATABASE_URL"]
  const server =
    given !== undefined
      ? { adminUrl: given, stop: () => Promise.resolve() }
      : await (containers ? container() : embedded())
  const databases = await makeTemplate(server.adminUrl)
  project.provide("reelay", { databases, nats })
  return async () => {
    if (given !== undefined) await dropTemplate(databases)
    await server.stop()
  }
}
