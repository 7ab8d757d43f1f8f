import { Auth } from "@reelay/platform/Auth"
import { Bus } from "@reelay/platform/Bus"
import { Database } from "@reelay/platform/Database"
import { LiveFarm } from "@reelay/platform/LiveFarm"
import * as ObjectStore from "@reelay/platform/ObjectStoreDirectory"
import { SignedUrl } from "@reelay/platform/SignedUrl"
import { Layer } from "effect"
import { server } from "./http/Server.ts"
import { services } from "./Services.ts"

const platform = LiveFarm.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(Auth.layer, Bus.layer, Database.layer, ObjectStore.layer, SignedUrl.layer))
)

/** The whole api, from its environment. */
export const api = server.pipe(Layer.provide(services), Layer.provide(platform))
