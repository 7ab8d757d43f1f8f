CREATE TABLE "images" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"name" text NOT NULL,
	"sha256" text NOT NULL,
	"bytes" bigint NOT NULL,
	"width" integer NOT NULL,
	"height" integer NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "images_sha256" CHECK ("images"."sha256" ~ '^[0-9a-f]{64}$'),
	CONSTRAINT "images_size" CHECK ("images"."bytes" > 0 and "images"."width" > 0 and "images"."height" > 0),
	CONSTRAINT "images_user" CHECK ("images"."user_id" <> '')
);
--> statement-breakpoint
CREATE INDEX "images_by_user" ON "images" USING btree ("user_id","id");