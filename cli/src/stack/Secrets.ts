import { ROLES } from "@reelay/contracts/messages/Topology"
import type { Role } from "@reelay/contracts/messages/Topology"
import { Effect, Schema } from "effect"
import { randomBytes } from "node:crypto"
import { chmod, readFile, rename, writeFile } from "node:fs/promises"
import { Failure } from "../Failure.ts"
import type { Place } from "./Place.ts"

const Passwords = Schema.Struct({
  scheduler: Schema.NonEmptyString,
  api: Schema.NonEmptyString,
  encoder: Schema.NonEmptyString,
  notifier: Schema.NonEmptyString
})
export interface Secrets {
  /** By NATS user. */
  readonly passwords: Readonly<Record<Role, string>>
}

const SIGNING_BYTES = 48
const PASSWORD_BYTES = 24

/** Only we read it, and it is there whole or not at all. */
const writeSecret = async (path: string, text: string) => {
  const fresh = `${path}.${process.pid}`
  await writeFile(fresh, text, { mode: 0o600 })
  await chmod(fresh, 0o600)
  await rename(fresh, path)
}

const readOrMake = async (path: string, make: () => string): Promise<string> => {
  try {
    return await readFile(path, "utf8")
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error
    const made = make()
    await writeSecret(path, made)
    return made
  }
}

const newPasswords = () =>
  JSON.stringify(Object.fromEntries(ROLES.map((role) => [role, randomBytes(PASSWORD_BYTES).toString("base64url")])))

/** Made once for each data folder. The caller holds the folder's lock. */
export const secretsOf = Effect.fn("Secrets.of")(function* (place: Place["Service"]) {
  const failed = (cause: unknown) =>
    new Failure({ message: `the secrets in ${place.data} cannot be used: ${String(cause)}` })
  const text = yield* Effect.tryPromise({
    try: async () => {
      await readOrMake(place.secretFile, () => randomBytes(SIGNING_BYTES).toString("base64url"))
      return readOrMake(place.secrets, newPasswords)
    },
    catch: failed
  })
  const passwords = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(Passwords))(text).pipe(
    Effect.mapError(failed)
  )
  return { passwords } satisfies Secrets
})
