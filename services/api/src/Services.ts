import { Layer } from "effect"
import { Acceptance } from "./Acceptance.ts"
import { Clips } from "./Clips.ts"
import { Doorbell } from "./Doorbell.ts"
import { ExportChanges } from "./ExportChanges.ts"
import { Exports } from "./Exports.ts"
import { Farm } from "./Farm.ts"
import { Images } from "./Images.ts"
import { ImageIngest } from "./ingest/ImageIngest.ts"
import { Ingest } from "./ingest/Ingest.ts"
import { IngestTurns } from "./ingest/IngestTurns.ts"
import { MediaTools } from "./ingest/MediaTools.ts"
import { MediaRoots } from "./MediaRoots.ts"
import { Migration } from "./Migration.ts"
import { Projects } from "./Projects.ts"
import { Readiness } from "./Readiness.ts"
import { RemoteMedia } from "./RemoteMedia.ts"
import { sweeper } from "./Sweeper.ts"
import { VideoIntake } from "./VideoIntake.ts"
import { Videos } from "./Videos.ts"

/** What the api does, without HTTP. */
export const services = Layer.mergeAll(
  Acceptance.layer,
  Clips.layer,
  ExportChanges.layer,
  Exports.layer,
  Farm.layer,
  Images.layer,
  Projects.layer,
  Readiness.layer,
  VideoIntake.layer,
  Videos.layer,
  sweeper
).pipe(
  Layer.provide([
    Doorbell.layer,
    ImageIngest.layer,
    Ingest.layer,
    IngestTurns.layer,
    MediaRoots.layer,
    Migration.layer,
    RemoteMedia.layer
  ]),
  Layer.provide(MediaTools.layer)
)
