import * as NodeWS from "@effect/platform-node/NodeWS"
import { assert, layer } from "@effect/vitest"
import { UserId } from "@reelay/contracts/Ids"
import { CLOSE } from "@reelay/contracts/Socket"
import { Effect } from "effect"
import { createHmac } from "node:crypto"
import { connectTo, Lab, next, stateOf } from "./NotifierLab.ts"

const SECRET = "a secret that is long enough for HS256"

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")
const tokenOf = (sub: string, secret = SECRET, seconds = 60) => {
  const signed = `${part({ alg: "HS256" })}.${part({ sub, exp: Math.floor(Date.now() / 1000) + seconds })}`
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`
}

const ENVIRONMENT = { REELAY_AUTH: "jwt", REELAY_JWT_SECRET: SECRET, REELAY_SOCKETS_PER_USER: "3" }
const ALL = { type: "subscribe", exports: "all" }
const [ann, bob, eve] = [UserId.make("ann"), UserId.make("bob"), UserId.make("eve")]

layer(Lab.layerWith(ENVIRONMENT), { excludeTestServices: true })("with tokens", (it) => {
  it.effect("everybody sees what is theirs, by a token in the address or in the first message", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const [anns, bobs] = [yield* lab.anExport(ann), yield* lab.anExport(bob)]
      const first = yield* connectTo(`${lab.url}?token=${tokenOf(ann)}`)
      first.send(ALL)
      assert.deepStrictEqual(
        (yield* next(first, "snapshot")).exports.map(({ id }) => id),
        [anns]
      )
      const second = yield* connectTo(lab.url)
      second.send({ type: "auth", token: tokenOf(bob) })
      second.send({ type: "subscribe", exports: [anns, bobs] })
      assert.deepStrictEqual(
        (yield* next(second, "snapshot")).exports.map(({ id }) => id),
        [bobs]
      )
      yield* lab.happen(ann, anns, "processing")
      yield* lab.happen(bob, bobs, "processing")
      assert.deepStrictEqual(stateOf(yield* next(first, "state")), [anns, "processing", 1])
      assert.deepStrictEqual(stateOf(yield* next(second, "state")), [bobs, "processing", 1])
    })
  )

  it.effect("a wrong token in the address is refused at the door, in a message with a reason", () =>
    Effect.gen(function* () {
      const { url } = yield* Lab
      for (const wrong of [tokenOf("ann", "another secret that is long enough"), tokenOf("ann", SECRET, -60), "x"]) {
        const answer = yield* Effect.callback<readonly [number, string]>((resume) => {
          const socket = new NodeWS.WebSocket(`${url}?token=${wrong}`)
          socket.on("error", () => {})
          socket.on("unexpected-response", (_, response) => {
            let body = ""
            response.on("data", (bytes) => (body += String(bytes)))
            response.on("end", () => resume(Effect.succeed([response.statusCode ?? 0, body])))
          })
        })
        assert.strictEqual(answer[0], 401)
        assert.strictEqual(JSON.parse(answer[1]).code, "unauthorized")

        const client = yield* connectTo(url)
        client.send({ type: "auth", token: wrong })
        assert.strictEqual((yield* next(client, "error")).code, "unauthorized")
        assert.strictEqual(yield* Effect.promise(() => client.ended), CLOSE.unauthorized)
      }
    })
  )

  it.effect("a connection ends with its token; a fresh one goes on where it was", () =>
    Effect.gen(function* () {
      const lab = yield* Lab
      const mine = yield* lab.anExport(eve)
      // Five seconds that clocks may differ: this one has half a second left.
      const first = yield* connectTo(`${lab.url}?token=${tokenOf(eve, SECRET, -4)}`)
      first.send(ALL)
      const { cursor } = yield* next(first, "snapshot")
      assert.strictEqual((yield* next(first, "error")).code, "token_expired")
      assert.strictEqual(yield* Effect.promise(() => first.ended), CLOSE.unauthorized)
      yield* lab.happen(eve, mine, "processing")
      const second = yield* connectTo(lab.url)
      second.send({ type: "auth", token: tokenOf(eve) })
      second.send({ ...ALL, since: cursor })
      assert.deepStrictEqual(stateOf(yield* next(second, "state")), [mine, "processing", 1])
    })
  )

  it.effect("the one too many of a user is told so, and those that are open go on", () =>
    Effect.gen(function* () {
      const { url } = yield* Lab
      const another = connectTo(`${url}?token=${tokenOf("many")}`)
      const open = yield* Effect.replicateEffect(another, 3)
      const allAreTold = Effect.forEach(open, (client) => {
        client.send(ALL)
        return next(client, "snapshot")
      })
      yield* allAreTold
      const refused = yield* another
      assert.strictEqual((yield* next(refused, "error")).code, "too_many_sockets")
      assert.strictEqual(yield* Effect.promise(() => refused.ended), CLOSE.crowded)
      yield* allAreTold
    })
  )

  it.effect("nobody is told anything without one", () =>
    Effect.gen(function* () {
      const { url } = yield* Lab
      const client = yield* connectTo(url)
      client.send(ALL)
      assert.strictEqual((yield* next(client, "error")).code, "unauthorized")
      assert.strictEqual(yield* Effect.promise(() => client.ended), CLOSE.unauthorized)
    })
  )
})
