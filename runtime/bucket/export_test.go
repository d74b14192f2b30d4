package bucket

import (
	"context"
	"time"

	"github.com/minio/minio-go/v7"
)

// RetainedUntil asks the service how long an object is held.
func RetainedUntil(ctx context.Context, s *S3, key string) (time.Time, error) {
	info, err := s.core.StatObject(ctx, s.config.Bucket, s.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, info.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"))
}

// Remove asks the service to remove an object's newest version for good.
func Remove(ctx context.Context, s *S3, key string) error {
	info, err := s.core.StatObject(ctx, s.config.Bucket, s.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return err
	}
	return s.core.RemoveObject(ctx, s.config.Bucket, s.prefix+key, minio.RemoveObjectOptions{VersionID: info.VersionID})
}
