import { randomFilmTests } from "./RandomFilms.ts"

randomFilmTests({ films: 16, clips: 3 })
