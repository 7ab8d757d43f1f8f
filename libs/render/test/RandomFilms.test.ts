import { randomFilmTests } from "./RandomFilms.ts"

// All ways are among these. The long suite looks for new ones; whoever changes something else is not the one to find them.
randomFilmTests({ films: 10, clips: 2, seed: 0 })
