import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { NodeId } from "../Ids.ts"
import { Node } from "../Node.ts"
import { Forbidden, NotFound, Unavailable } from "../Problem.ts"
import { Authorization, Requests } from "./Authorization.ts"
import { Items } from "./Page.ts"

const params = { id: NodeId }
const error = [NotFound, Forbidden] as const

/** Whether anything new is dispatched, anywhere. What runs goes on. */
export const QueueState = Schema.Struct({ paused: Schema.Boolean })
export type QueueState = typeof QueueState.Type

export class FarmApi extends HttpApiGroup.make("farm")
  .add(
    HttpApiEndpoint.get("nodes", "/api/nodes", { success: Items(Node) }).annotate(OpenApi.Summary, "Encoder nodes"),
    HttpApiEndpoint.post("drain", "/api/nodes/:id/drain", { params, success: Node, error }).annotate(
      OpenApi.Summary,
      "Let a node finish and take no more (operators)"
    ),
    HttpApiEndpoint.post("resume", "/api/nodes/:id/resume", { params, success: Node, error }).annotate(
      OpenApi.Summary,
      "Let a node work again (operators)"
    ),
    HttpApiEndpoint.post("stop", "/api/nodes/:id/stop", { params, success: Node, error }).annotate(
      OpenApi.Summary,
      "Make a node hand its tasks back now (operators)"
    ),
    HttpApiEndpoint.get("queue", "/api/queue", { success: QueueState, error: Forbidden }).annotate(
      OpenApi.Summary,
      "Whether the queue is paused (operators)"
    ),
    HttpApiEndpoint.put("setQueue", "/api/queue", {
      payload: QueueState,
      success: QueueState,
      error: Forbidden
    }).annotate(OpenApi.Summary, "Pause or resume the queue (operators)")
  )
  .middleware(Authorization)
  .add(
    HttpApiEndpoint.get("live", "/health/live", {
      success: Schema.Struct({ status: Schema.Literal("live") })
    }).annotate(OpenApi.Summary, "Whether the process answers"),
    HttpApiEndpoint.get("ready", "/health/ready", {
      success: Schema.Struct({ status: Schema.Literal("ready") }),
      error: Unavailable
    }).annotateMerge(OpenApi.annotations({ summary: "Whether exports can be accepted and run; else what is missing" }))
  )
  .middleware(Requests)
  .annotateMerge(OpenApi.annotations({ title: "Farm", description: "Encoder nodes, the queue, health." })) {}
