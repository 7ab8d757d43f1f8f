DROP INDEX "exports_by_project";--> statement-breakpoint
DROP INDEX "exports_by_video";--> statement-breakpoint
CREATE INDEX "exports_by_project" ON "exports" USING btree ("project_id","id") WHERE "exports"."project_id" is not null;--> statement-breakpoint
CREATE INDEX "exports_by_video" ON "exports" USING btree ("video_id","id") WHERE "exports"."video_id" is not null;--> statement-breakpoint

-- As in 0001, but for the end: only a statement that changes the outputs has them summed up.
CREATE OR REPLACE FUNCTION exports_on_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  planned boolean := NEW.status = 'processing' AND NEW.epoch = OLD.epoch + 1;
BEGIN
  IF NEW.epoch <> OLD.epoch AND NOT planned THEN
    PERFORM reelay_refuse('exports_epochs', format('epoch %s to %s with status %s to %s: it rises by one at each move to processing and only then',
      OLD.epoch, NEW.epoch, OLD.status, NEW.status));
  END IF;

  IF NEW.status = OLD.status AND NOT planned THEN
    IF NEW.outputs <> OLD.outputs OR NEW.error IS DISTINCT FROM OLD.error OR NEW.encoder IS DISTINCT FROM OLD.encoder
      OR NEW.started_at IS DISTINCT FROM OLD.started_at OR NEW.completed_at IS DISTINCT FROM OLD.completed_at
      -- An ended export's plan may be let go of, never replaced.
      OR (NEW.plan IS DISTINCT FROM OLD.plan AND NOT (NEW.plan IS NULL AND OLD.completed_at IS NOT NULL))
    THEN
      PERFORM reelay_refuse('exports_settled', format('a %s export keeps what it has until it moves', OLD.status));
    END IF;
  ELSIF NOT (
    planned AND OLD.status IN ('pending', 'processing')
    OR OLD.status = 'processing' AND NEW.status IN ('completed', 'failed', 'cancelled')
    OR OLD.status = 'pending' AND NEW.status IN ('failed', 'cancelled')
    OR OLD.status IN ('failed', 'cancelled') AND NEW.status = 'pending'
  ) THEN
    PERFORM reelay_refuse('exports_moves', format('%s to %s', OLD.status, NEW.status));
  END IF;

  -- The clock is Postgres' and nobody else's.
  NEW.updated_at := now();
  IF NEW.status = 'pending' THEN
    NEW.plan := NULL;
    NEW.encoder := NULL;
    NEW.error := NULL;
    NEW.outputs := '[]';
    NEW.started_at := NULL;
    NEW.completed_at := NULL;
  ELSIF NEW.status = 'processing' THEN
    NEW.started_at := coalesce(OLD.started_at, now());
    NEW.completed_at := NULL;
  ELSIF NEW.status <> OLD.status THEN
    NEW.started_at := OLD.started_at;
    NEW.completed_at := now();
  END IF;
  IF NEW.outputs <> OLD.outputs THEN
    NEW.bytes := (SELECT coalesce(sum((o -> 'output' ->> 'bytes')::bigint), 0) FROM jsonb_array_elements(NEW.outputs) o);
  ELSE
    NEW.bytes := OLD.bytes;
  END IF;
  RETURN NEW;
END $$;
