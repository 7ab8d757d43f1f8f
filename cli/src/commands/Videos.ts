import { Video } from "@reelay/contracts/Media"
import { DateTime } from "effect"
import { bytesInWords, timeInWords } from "../report/Words.ts"
import { listing } from "./Listing.ts"

export const videos = listing("videos", {
  description: "List the latest videos that were uploaded: their length, size, name and id",
  one: "video",
  schema: Video,
  head: ["UPLOADED (UTC)", "LENGTH", "SIZE", "NAME", "ID"],
  row: (video) => [
    DateTime.formatIso(video.createdAt).slice(0, 19),
    timeInWords(video.duration),
    bytesInWords(video.bytes),
    video.name,
    video.id
  ],
  read: (api, asked) => api.videos.list({ query: asked })
})
