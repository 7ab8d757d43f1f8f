import { joinedTests } from "./Joined.ts"

joinedTests([
  ["mov", "h264"],
  ["mp4", "hevc"],
  ["mov", "hevc"],
  ["mp4", "av1"],
  ["webm", "av1"]
])
